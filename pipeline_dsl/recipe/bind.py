"""From a resolved tree to a Recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline_dsl.diagnostics import Span
from pipeline_dsl.recipe.checks import check_hooks, check_phases, check_references
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.data import read_data
from pipeline_dsl.recipe.fields import Fields, check_keys, fields_of
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.likes import LIKE
from pipeline_dsl.recipe.model import Phase, Recipe, Task, Use
from pipeline_dsl.recipe.names import check_name
from pipeline_dsl.recipe.order import in_order
from pipeline_dsl.recipe.phases import read_hooks, read_phase
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.rows import check_once, read_rows
from pipeline_dsl.recipe.spelling import as_spelt_on_disk
from pipeline_dsl.recipe.uses import declared, use_block, use_list, use_value
from pipeline_dsl.syntax.nodes import Mapping, Scalar

TOP_KEYS = (
    "recipe", "project", "edition", "description", "tags", "extends", "seed", "device", "default_profile",
    "profiles", "environment", "plugins", "model", "adapters", "data", "templates", "tasks", "train",
    "phases", "hooks", "trackers", "executor",
)  # fmt: skip
TASK_COLUMNS = ("task", "data", "template", "metric", "limit")
EDITION = 1
DEFAULT_SEED = 42
DEFAULT_DEVICE = "auto"
DEFAULT_EXECUTOR = "inline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a recipe has that does not stand in its tree."""

    path: str
    profile: str | None
    profiles: tuple[str, ...]
    broken: tuple[Span, ...] = ()
    """What is reported as wrong already."""


def bind(tree: Mapping, around: Circumstances, findings: Findings) -> Recipe | None:
    """Read a whole recipe; None where what is left of it could not be a recipe."""
    top = fields_of(tree, "", findings, TOP_KEYS)
    _check_overlays(tree, findings)
    name, model = _name(top, around.path), _model(top)
    train = top.block("train", "a block of training options")
    read = _phases(top, train)
    tasks, data = _tasks(top), read_data(top)
    _check_edition(top)
    top.text("description")
    recipe = Recipe(
        name=name,
        project=_project(top, name),
        edition=EDITION,
        path=around.path,
        profile=around.profile,
        profiles=around.profiles,
        seed=_or(top.whole("seed", least=0), DEFAULT_SEED),
        tags=tuple(ref.name for ref in top.refs("tags")),
        device=top.text("device") or DEFAULT_DEVICE,
        plugins=_plugins(top),
        model=model or _nothing(tree),
        adapters=declared(top, "adapters"),
        data=data,
        templates=declared(top, "templates"),
        tasks=tasks,
        phases=in_order(read, findings),
        hooks=read_hooks(top),
        trackers=use_list(top, "trackers"),
        executor=use_value(top, "executor") or _executor(tree),
        broken=around.broken,
        tree=tree,
    )
    views = {block.name.name: block.view for block in data if block.parts_known}
    check_references(tree, tasks, read, views, findings)
    check_phases(tree, read, findings)
    check_hooks(recipe.hooks, read, findings)
    return recipe if model and read else None


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _nothing(tree: Mapping) -> Use:
    """In place of a model that is not there; a recipe with it is never handed out."""
    return Use(name="", options=Mapping((), tree.span), span=tree.span)


def _executor(tree: Mapping) -> Use:
    return Use(name=DEFAULT_EXECUTOR, options=Mapping((), tree.span), span=tree.span)


def _check_overlays(tree: Mapping, findings: Findings) -> None:
    """Report unknown keys of every profile, the chosen one's being reported as the recipe's own."""
    profiles = tree.get("profiles")
    for entry in profiles if isinstance(profiles, Mapping) else ():
        if isinstance(entry.value, Mapping):
            known = {e.key for e in tree}
            rest = tuple(e for e in entry.value if e.key not in known)
            check_keys(Mapping(rest, entry.value.span), f"profiles.{entry.key.name}", TOP_KEYS, findings)


def _name(top: Fields, path: str) -> Ref:
    """The recipe's name, or its file's."""
    ref = top.ref("recipe")
    if ref is None:
        stem = Path(path).stem
        ref = Ref(stem if stem not in ("", "-") else "recipe", top.head)
        if top.node("recipe") is not None:
            return ref
    check_name(ref, "a recipe", top.findings)
    return ref


def _project(top: Fields, name: Ref) -> str:
    """The project's name, or the recipe's."""
    ref = top.ref("project")
    if ref is None:
        return name.name
    check_name(ref, "a project", top.findings)
    return ref.name


def _check_edition(top: Fields) -> None:
    edition = top.whole("edition", least=1)
    node = top.node("edition")
    if edition is not None and edition != EDITION and isinstance(node, Scalar):
        top.out_of_range("edition", f"{EDITION}, the only one that this version knows", node)


def _model(top: Fields) -> Use | None:
    if top.node("model") is None:
        if top.entries:
            top.missing("model", "write a block `model:` with `use: NAME` and its options")
        return None
    block = top.block("model", "a block with `use`")
    return use_block(block, "model", None, top.findings, top.entries["model"].key.span) if block else None


def _phases(top: Fields, train: Mapping | None) -> tuple[Phase, ...]:
    node = top.node("phases")
    empty = isinstance(node, Scalar) and node.value is None
    section = None if empty else top.block("phases", "a block of phases")
    if node is None or empty or (section is not None and not section.entries):
        top.findings.error(
            Code.NO_PHASE,
            "the recipe has no phase",
            top.entries["phases"].key.span if node is not None else top.head,
            help="write a block `phases:` with one block for every phase",
        )
    phases = (read_phase(entry, train, top.findings) for entry in section or ())
    return tuple(phase for phase in phases if phase is not None)


def _tasks(top: Fields) -> tuple[Task, ...]:
    found, names = [], []
    for row in read_rows(top, "tasks", TASK_COLUMNS):
        for column in TASK_COLUMNS[:4]:
            if row.node(column) is None and LIKE not in row.entries:
                row.missing(column)
        name, data = row.ref("task"), row.ref("data")
        template, metric = use_value(row, "template"), use_value(row, "metric")
        limit = row.whole("limit", least=1)
        if name:
            names.append(name)
            check_name(name, "a task", top.findings)
        if name and data and template and metric:
            found.append(Task(name=name, data=data, template=template, metric=metric, limit=limit))
    check_once(names, Code.DUPLICATE_NAME, "task", top.findings)
    return tuple(found)


def _plugins(top: Fields) -> tuple[Ref, ...]:
    """Local plugins, each path made absolute against the file in which it stands."""
    found = []
    for ref in top.refs("plugins"):
        if not ref.name.endswith(".py"):
            top.findings.error(
                Code.NOT_A_CHOICE,
                f"`plugins` lists Python files, and `{ref.name}` is none",
                ref.span,
                help="leave installed plugins out; write ./my_plugin.py for a file beside the recipe",
            )
            continue
        folder = Path(ref.span.source.name).parent
        found.append(Ref(str(as_spelt_on_disk(folder / ref.name).absolute()), ref.span))
    return tuple(found)
