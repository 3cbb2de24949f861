"""What stands where in a recipe: which providers a block chooses, which names a value refers to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipeline_dsl.api.providers import Kind
from pipeline_dsl.plan.hooks import ALWAYS
from pipeline_dsl.recipe.likes import LIKE, SECTIONS
from pipeline_dsl.recipe.paths import Steps
from pipeline_dsl.recipe.phases import DEFAULT_TRAINER
from pipeline_dsl.recipe.uses import CUSTOM_TEMPLATE, USE

ANY = "*"
Pattern = tuple[str, ...]

NAMED = (*SECTIONS, "profiles")
"""Blocks whose keys are names that the recipe gives."""

_ACTIONS: tuple[Pattern, ...] = (("hooks", ANY, "do"), ("phases", ANY, "hooks", ANY, "do"))
KINDS: Mapping[Pattern, Kind] = MappingProxyType(
    {
        ("model",): Kind.MODEL,
        ("adapters", ANY): Kind.ADAPTER,
        ("data", ANY): Kind.SOURCE,
        ("templates", ANY): Kind.TEMPLATE,
        ("tasks", ANY, "template"): Kind.TEMPLATE,
        ("phases", ANY, "mix", ANY, "template"): Kind.TEMPLATE,
        ("phases", ANY, "stages", ANY, "template"): Kind.TEMPLATE,
        ("tasks", ANY, "metric"): Kind.METRIC,
        ("train",): Kind.TRAINER,
        ("phases", ANY, "train"): Kind.TRAINER,
        ("trackers", ANY): Kind.TRACKER,
        ("executor",): Kind.EXECUTOR,
        **dict.fromkeys(_ACTIONS, Kind.ACTION),
    }
)
"""Blocks with ``use``, or bare names in place of them, and the kind of provider that they choose."""

_IN_BLOCKS = frozenset({Kind.MODEL, Kind.ADAPTER, Kind.SOURCE, Kind.TRAINER})
BARE = frozenset(p for p, kind in KINDS.items() if kind not in _IN_BLOCKS and p[0] != "templates")
"""Those where a bare name is short for a block."""

DEFAULTS: Mapping[Kind, str] = MappingProxyType(
    {Kind.TRAINER: DEFAULT_TRAINER, Kind.TEMPLATE: CUSTOM_TEMPLATE, Kind.EXECUTOR: "inline"}
)

REFERENCES: Mapping[Pattern, str] = MappingProxyType(
    {
        **{(section, ANY, LIKE): section for section in SECTIONS},
        ("phases", ANY, "stack", ANY, "adapter"): "adapters",
        ("phases", ANY, "mix", ANY, "data"): "data",
        ("phases", ANY, "mix", ANY, "template"): "templates",
        ("phases", ANY, "stages", ANY, "template"): "templates",
        ("phases", ANY, "task"): "tasks",
        ("phases", ANY, "retain", ANY, "task"): "tasks",
        ("phases", ANY, "after"): "phases",
        ("phases", ANY, "after", ANY): "phases",
        ("tasks", ANY, "data"): "data",
        ("tasks", ANY, "template"): "templates",
        ("default_profile",): "profiles",
        **{
            (*action, *option): "tasks"
            for action in _ACTIONS
            for option in (("task",), ("tasks",), ("tasks", ANY), ("monitor",))
        },
    }
)
"""Values that are names given elsewhere, and the section in which."""

CONDITIONS: frozenset[Pattern] = frozenset(
    {("hooks", ANY, "when"), ("phases", ANY, "hooks", ANY, "when"), ("phases", ANY, "stages", ANY, "until")}
)
"""Values that are conditions on scores."""

FIGURES = ALWAYS
"""Names that every condition may use."""

FILES = (("extends",), ("extends", ANY))
"""Values that are paths of recipes."""


def plain_path(steps: Steps) -> Steps:
    """A path without the profile that it stands in."""
    return steps[2:] if steps[:1] == ("profiles",) and len(steps) > 1 else steps


def matches(pattern: Pattern, steps: Steps) -> bool:
    """Whether a path has the form of a pattern."""
    return len(pattern) == len(steps) and all(p in (ANY, s) for p, s in zip(pattern, steps, strict=True))


def kind_at(steps: Steps) -> Kind | None:
    """The kind of provider that a block at a path chooses."""
    path = plain_path(steps)
    return next((kind for pattern, kind in KINDS.items() if matches(pattern, path)), None)


def kind_named_at(steps: Steps) -> Kind | None:
    """The kind of provider of which a value at a path is the name."""
    if steps and steps[-1] == USE:
        return kind_at(steps[:-1])
    path = plain_path(steps)
    return next((KINDS[pattern] for pattern in BARE if matches(pattern, path)), None)


def section_at(steps: Steps) -> str | None:
    """The section of which a value at a path is a name."""
    path = plain_path(steps)
    return next((section for pattern, section in REFERENCES.items() if matches(pattern, path)), None)


def declares_at(steps: Steps) -> str | None:
    """The section in which a key at a path, or the first cell of a row of tasks, gives a name."""
    if steps[:1] == ("profiles",) and len(steps) == 2:  # noqa: PLR2004 - section and name
        return "profiles"
    path = plain_path(steps)
    if len(path) == 2 and path[0] in NAMED and isinstance(path[1], str):  # noqa: PLR2004 - section and name
        return str(path[0])
    return "tasks" if matches(("tasks", ANY, "task"), path) and isinstance(path[1], int) else None


def is_condition(steps: Steps) -> bool:
    """Whether a value at a path is a condition on scores."""
    path = plain_path(steps)
    return any(matches(pattern, path) for pattern in CONDITIONS)


def is_file(steps: Steps) -> bool:
    """Whether a value at a path is the path of a recipe."""
    return any(matches(pattern, steps) for pattern in FILES)
