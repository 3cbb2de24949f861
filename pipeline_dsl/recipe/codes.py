"""Every finding of the recipe layer: a stable code and what it is about, in one line.

MR2xx names, MR33x values of the language's own words, MR4xx phases, stacks, hooks and contracts.
MR300-MR329 and MR440-MR499 belong to ``plan``, ``run`` and the plugins.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """One kind of finding; equal to its code as a string, with a ``title``."""

    title: str  # type: ignore[assignment]  # str.title has no use on a code

    def __new__(cls, code: str, title: str) -> Self:
        """Make a member out of its code and its title."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.title = title
        return member

    UNKNOWN_KEY = "MR201", "a key that the language does not have"
    UNKNOWN_NAME = "MR202", "a name that nothing declares"
    DUPLICATE_NAME = "MR203", "one name declared twice"
    INVALID_NAME = "MR204", "a name that cannot become a folder's name"
    MISSING_KEY = "MR206", "a key that is needed is missing"
    EXTENDS_UNREADABLE = "MR210", "the recipe that this one extends cannot be found"
    EXTENDS_OUTSIDE = "MR211", "`extends` leaves the recipe's folder"
    EXTENDS_CYCLE = "MR212", "recipes extend each other in a circle"
    EXTENDS_TOO_MANY = "MR213", "too many recipes extend each other"
    PART_NEEDED = "MR214", "split data that is named without its part"
    UNKNOWN_PART = "MR215", "a part that the data does not have"
    SPLIT = "MR216", "shares of a split that do not make sense"
    ENDLESS_TASK = "MR219", "a task on a stream without a limit"
    USELESS_WORD = "MR217", "a word that does nothing without another one"
    UNKNOWN_PROFILE = "MR220", "a profile that the recipe does not have"
    USELESS_IN_PROFILE = "MR221", "a key that is read before profiles and `--set` are"
    MALFORMED_SET = "MR222", "`--set` without a path and a value"
    UNREACHABLE_SET = "MR223", "`--set` on a path that cannot be reached"
    UNKNOWN_LIKE = "MR230", "`like` names a block that is not beside it"
    LIKE_CYCLE = "MR231", "blocks are like each other in a circle"
    UNKNOWN_REFERENCE = "MR240", "`${...}` refers to a key that is not there"
    REFERENCE_CYCLE = "MR241", "`${...}` refer to each other in a circle"
    ENVIRONMENT_NOT_LISTED = "MR242", "an environment variable that the recipe does not list"
    ENVIRONMENT_NOT_SET = "MR243", "an environment variable that is not set"
    MALFORMED_REFERENCE = "MR244", "`${...}` that cannot be put in its place"
    SECRET = "MR250", "a secret in the text"
    WRONG_TYPE = "MR330", "a value of the wrong type"
    OUT_OF_RANGE = "MR331", "a value out of range"
    NOT_A_CHOICE = "MR332", "a word that is not one of the choices"
    NO_PHASE = "MR400", "a recipe without a phase"
    PHASE_CYCLE = "MR401", "phases wait for each other"
    TRAINS_NOTHING = "MR402", "a phase that trains nothing"
    NO_DATA = "MR403", "a phase without training data"
    ADAPTER_TWICE = "MR404", "an adapter twice in one stack"
    MADE_TWICE = "MR405", "an adapter made by two phases"
    NEVER_MADE = "MR406", "an adapter that is used but never made"
    MERGE_ABOVE = "MR407", "`merge` above a layer that stays separate"
    WEIGHTS = "MR410", "weights of a mix that do not make sense"
    REPEATED_SOURCE = "MR411", "the same data and template twice in one mix"
    UNKNOWN_EVENT = "MR420", "a hook on an event that never fires"
    CONDITION_SYNTAX = "MR421", "a condition that cannot be read"
    CONDITION_TYPE = "MR422", "a condition that mixes up numbers and comparisons"
    STAGE_WITHOUT_BOUND = "MR423", "a stage before the last without `at_most`"
    STAGE_SHARES = "MR424", "stages that ask for more than the phase has"
    NEVER_FIRES = "MR427", "a hook on a stage's event where there are no stages"
    CONTRACT_BOUND = "MR430", "a retention contract without exactly one bound"
    CONTRACT_TWICE = "MR431", "one bound given twice for a task"


ABSENCES = frozenset({
    Code.UNKNOWN_NAME, Code.MISSING_KEY, Code.UNKNOWN_PROFILE, Code.UNKNOWN_LIKE, Code.UNKNOWN_REFERENCE,
    Code.ENVIRONMENT_NOT_LISTED, Code.UNREACHABLE_SET, Code.NO_PHASE, Code.TRAINS_NOTHING, Code.NO_DATA,
    Code.NEVER_MADE, Code.NEVER_FIRES, Code.CONTRACT_BOUND, Code.STAGE_WITHOUT_BOUND,
})  # fmt: skip
"""Findings that say something is missing: left unsaid while part of the text could not be read."""
