"""Codes of what is found when a recipe meets the installed plugins, the data and the base."""

from __future__ import annotations

from enum import Enum


class PlanCode(Enum):
    """Value: the code and its one-line title."""

    UNKNOWN_PROVIDER = ("MR301", "no plugin offers this name")
    CLASH = ("MR302", "two plugins offer this name")
    UNKNOWN_OPTION = ("MR303", "the provider has no such option")
    OPTION_TYPE = ("MR304", "an option has the wrong type")
    OPTION_RANGE = ("MR305", "an option is out of its range")
    OPTION_CHOICE = ("MR306", "an option is not among its choices")
    OPTION_MISSING = ("MR307", "a required option is missing")
    OPTION_REFUSED = ("MR308", "the provider refuses its options")
    OPTION_DEPRECATED = ("MR309", "an option is deprecated")
    TEMPLATE_FIELD = ("MR323", "a field in a template of the recipe that the data does not have")
    CONDITION_NAME = ("MR441", "a condition uses a name that nothing computes")
    MIXED_STACK = ("MR442", "adapters of different providers in one stack")
    RISE_OF_HIGH_SCORE = ("MR443", "`rise` on a score that should be high")
    CANNOT_ACT = ("MR444", "an action bound to where it cannot act")
    MERGE_INTO_QUANTISED = ("MR445", "an adapter merged into a quantised base")
    UNTIL_NAME = ("MR425", "a stage's `until` that goes by something else than scores")
    TEST_STEERS = ("MR426", "a test part that decides what is learned")
    MODEL = ("MR450", "the model or adapter cannot be used")
    TARGETS = ("MR460", "target modules or a pattern that cannot be used")
    DAMAGED_ADAPTER = ("MR466", "an adapter that is not what its manifest says")
    OTHER_BASE = ("MR467", "a base or adapter that is not the one this was made on")
    OTHER_VERSION = ("MR468", "a record of a run that this version cannot read")
    NEEDS_SCORES = ("MR311", "something goes by scores that are not to be taken")
    NOTHING_SCORES = ("MR312", "an action waits for scores that nothing takes")
    UNKNOWN_FIGURE = ("MR310", "an action goes by a score that nothing computes")
    GUARD = ("MR480", "a guard rail stopped the run")
    DATA = ("MR500", "the data cannot be used")
    COLUMN_MISSING = ("MR506", "the data lacks a column that the template needs")
    DATA_CHANGED = ("MR507", "a data file changed since the plan was made")
    PERSONAL_DATA = ("MR520", "personal data where none may be")
    VIEW_COLUMN = ("MR521", "a filter or group of a column that the data lacks")
    FILTERED_AWAY = ("MR522", "a filter that leaves no row")
    FILTER_KIND = ("MR523", "a filter that compares text and number")
    TOO_FEW_GROUPS = ("MR524", "fewer groups than a split has parts")
    LEAK = ("MR550", "a row that is asked is taught by other data")
    MACHINE = ("MR600", "this machine lacks something")
    BROKEN_PLUGIN = ("MR610", "a plugin that is needed could not be loaded")
    SOFTWARE_CHANGED = ("MR611", "the software changed since the run began")
    LOCKED = ("MR620", "another process holds the run")
    STREAM_WITHOUT_END = ("MR218", "a streamed source in a phase without a number of steps")
    UNKNOWN_RUN = ("MR260", "there is no such run")
    PHASE_NOT_FINISHED = ("MR261", "a phase that is needed has no finished run")
    UNKNOWN_PHASE = ("MR262", "the recipe has no such phase")
    UNKNOWN_TASK = ("MR263", "the run has no such task")
    UNKNOWN_STACK = ("MR265", "the run left no stack of this name")
    NOT_ASKED_SO = ("MR266", "a template that cannot be asked so")
    UNKNOWN_TEMPLATE = ("MR267", "the run's phase has no such template")
    NOT_EMPTY = ("MR268", "a folder or file that is there already")
    OTHER_RECIPE = ("MR264", "the recipe is not the one that the run began with")

    @property
    def code(self) -> str:
        """``MR301``."""
        return self.value[0]

    @property
    def title(self) -> str:
        """One line."""
        return self.value[1]
