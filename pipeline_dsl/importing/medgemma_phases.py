"""One phase file as a phase, and several as a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.draft import Block, Draft, Line, PhaseDraft, Said
from pipeline_dsl.importing.ledger import Ledger
from pipeline_dsl.importing.medgemma_data import Subject, subjects_of
from pipeline_dsl.importing.names import distinct, name_of
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.settings import Setting, carry
from pipeline_dsl.syntax.nodes import Value

_RUNS = "a run writes into runs/PROJECT/RUN/, and keeps its history there"
_ASIDES = {
    "extends": "the file is read and laid under this one",
    "tracking": _RUNS,
    "paths": "every path is written out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One ``validation.test_…``: what it asks for."""

    subject: str
    keep: float
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What one file says."""

    name: str
    adapter: str
    made: str
    parents: tuple[str, ...]
    top: Block
    model: Block
    lora: Block
    train: Block
    subjects: tuple[Subject, ...]
    limit: int | None
    tests: tuple[Test, ...] = ()
    tags: tuple[str, ...] = field(default=())


def phase_of(
    reader: Reader, made: str, parents: tuple[str, ...], taken: Sequence[str], places: Places
) -> Phase:
    """Read one file; every key that is asked for is carried."""
    reader.leave_all(_ASIDES)
    reader.texts("previous_loras")
    output = reader.inner("output")
    if output is not None:
        output.text("lora_path")
        output.leave_all({
            "merged_path": "merging is done by `merge` in the next phase's stack, from the factors",
            "final_path": "each phase leaves its adapter in the run's folder",
        })  # fmt: skip
    subjects = subjects_of(reader, places)
    training = reader.inner("training")
    model, lora = _model(reader)
    name = subjects[0].name if len(subjects) == 1 else PurePosixPath(made).parent.name
    return Phase(
        name=distinct(name_of(name, "phase"), taken),
        adapter=name_of(made, "lora"),
        made=made,
        parents=parents,
        top=_top(reader, training),
        model=model,
        lora=lora,
        train=_train(training) if training else {},
        subjects=subjects,
        limit=training.whole("max_samples", least=1) if training else None,
        tests=_tests(reader),
        tags=reader.texts("tags") or (),
    )


def _top(reader: Reader, training: Reader | None) -> dict[str, Said]:
    top = {}
    project, seed = reader.text("project"), reader.whole("seed", least=0)
    device = training.text("device") if training else None
    if project:
        top["project"] = Said(value=name_of(project, "imported"))
    if seed is not None:
        top["seed"] = Said(value=seed)
    if device:
        top["device"] = Said(value="cuda:0" if device == "cuda" else device)
    return top


def _model(reader: Reader) -> tuple[Block, Block]:
    block = reader.inner("model")
    name = block.text("name") if block else None
    if block is None or not name:
        help_ = "it stands in the file that phases extend; is that there?"
        reader.ledger.error(
            Code.MISSING, "the file names no base model (`model.name`)", reader.span, help=help_
        )
        return {}, {}
    lora = {"use": Said(value="lora")}
    lora |= carry(
        block,
        [
            Setting(key="lora_r", option="r", type="whole", least=1),
            Setting(key="lora_alpha", option="alpha", type="whole", least=1),
            Setting(key="lora_dropout", option="dropout", type="number", least=0),
            Setting(key="use_rslora", option="use_rslora", type="flag"),
            Setting(key="use_dora", option="use_dora", type="flag"),
        ],
        "the example",
    )
    targets = block.texts("target_modules") or block.texts("lora_target_modules")
    if targets:
        lora["target_modules"] = Said(value="all-linear" if targets == ("all-linear",) else list(targets))
    base = {"use": Said(value="causal_lm"), "name": Said(value=name)}
    dtype = block.text("dtype")
    if dtype in ("auto", "float32", "bfloat16", "float16"):
        base["dtype"] = Said(value=dtype)
    else:
        block.leave("dtype", "a base has auto, float32, bfloat16 or float16")
    return base, lora


def _train(training: Reader) -> dict[str, Said]:
    named = {
        "epochs": "number",
        "max_steps": "whole",
        "batch_size": "whole",
        "grad_accum": "whole",
        "learning_rate": "number",
        "max_length": "whole",
        "warmup_ratio": "number",
        "warmup_steps": "whole",
        "weight_decay": "number",
        "max_grad_norm": "number",
        "gradient_checkpointing": "flag",
    }
    settings = [Setting(key=key, option=key, type=type_) for key, type_ in named.items()]  # type: ignore[arg-type]
    return carry(training, settings, "the example")


def _tests(reader: Reader) -> tuple[Test, ...]:
    """``test_X: true`` asks that X was not forgotten; a threshold says how much of it may go."""
    block = reader.inner("validation")
    if block is None:
        return ()
    threshold = block.number("retention_threshold", least=0)
    keep = threshold if threshold and threshold <= 1 else 1
    remark = "" if threshold else "no clear loss; the config names no threshold"
    tests = []
    for key in block.names():
        if key.startswith("test_") and block.flag(key):
            tests.append(Test(subject=key.removeprefix("test_"), keep=keep, remark=remark))
        elif "accuracy" in key:
            block.leave(key, "a target is no contract: read it off the task's score in `medrecipe runs show`")
    return tuple(tests)


def drafted(phases: Sequence[Phase], ledger: Ledger) -> Draft:
    """Put phases together. What all of them say alike stands once, at the top."""
    data, tasks = dict[str, Block](), dict[str, Line]()
    for phase in phases:
        for subject in phase.subjects:
            data |= subject.blocks
            tasks.setdefault(subject.task, subject.line)
    shared = _shared([phase.train for phase in phases])
    ledger.look_at(
        "what the files leave to their program (schedule, warm-up, optimizer, target modules) is here what "
        "`medrecipe plugins show trainer` and `show lora` say"
    )
    return Draft(
        top=_one_top(phases, ledger),
        model=_one_model(phases, ledger),
        adapters=_adapters(phases),
        data=data,
        tasks=tuple(tasks.values()),
        train=shared,
        phases=tuple(_drafted(phase, phases, shared, ledger) for phase in phases),
    )


def _shared(blocks: Sequence[Block]) -> Block:
    first, *others = blocks
    return {key: said for key, said in first.items() if all(block.get(key) == said for block in others)}


def _one_top(phases: Sequence[Phase], ledger: Ledger) -> Block:
    top: dict[str, Said] = {"recipe": Said(value=_recipe_name(phases))}
    for key in ("project", "seed", "device"):
        values = [phase.top[key] for phase in phases if key in phase.top]
        if values:
            top[key] = values[0]
            if any(value != values[0] for value in values):
                ledger.look_at(f"{key}: the phases do not agree; that of the first one stands")
    tags = list(dict.fromkeys(tag for phase in phases for tag in phase.tags))
    if tags:
        top["tags"] = Said(value=list[Value](tags))
    return top


def _recipe_name(phases: Sequence[Phase]) -> str:
    project = next((phase.top["project"].value for phase in phases if "project" in phase.top), None)
    return name_of(str(project), "imported") if project else Path(phases[0].name).name


def _one_model(phases: Sequence[Phase], ledger: Ledger) -> Block:
    first = phases[0].model
    if any(phase.model != first for phase in phases):
        help_ = "phases stand on one base: give `model` in the file that all of them extend"
        ledger.error(Code.WRONG_VALUE, "the phases do not name the same base", ledger.root.span, help=help_)
    return first


def _adapters(phases: Sequence[Phase]) -> dict[str, Block]:
    adapters = dict[str, Block]()
    for phase in phases:
        like = next((name for name, block in adapters.items() if block == phase.lora), None)
        adapters[phase.adapter] = {"like": Said(value=like)} if like else phase.lora
    return adapters


def _drafted(phase: Phase, phases: Sequence[Phase], shared: Block, ledger: Ledger) -> PhaseDraft:
    makers = {other.made: other for other in phases}
    stack = [(makers[parent].adapter, "merge") for parent in phase.parents]
    known = {s.name: s.task for other in phases for s in other.subjects}
    own = {subject.name for subject in phase.subjects}
    retain = []
    for test in phase.tests:
        if test.subject in own:
            continue
        if test.subject not in known:
            ledger.look_at(
                f"test_{test.subject}: no phase teaches `{test.subject}`; write a task with data for it"
            )
            continue
        retain.append(Line(cells=(known[test.subject], test.keep, "warn"), remark=test.remark))
    return PhaseDraft(
        name=phase.name,
        task=phase.subjects[0].task if phase.subjects else None,
        stack=(*stack, (phase.adapter, "train")),
        mix=tuple(Line(cells=(s.data, s.template, 1, phase.limit), remark=s.remark) for s in phase.subjects),
        train={key: said for key, said in phase.train.items() if key not in shared},
        retain=tuple(retain),
    )
