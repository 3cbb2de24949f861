"""What a model card says of a stack, read from its run's own record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.records import Licence, MergeProof, Sample, Score, StackLayer
from pipeline_dsl.api.trained import Shown
from pipeline_dsl.plan.model import PhasePlan, Plan, ProviderRef
from pipeline_dsl.run import manifest
from pipeline_dsl.run.asking import Question, questions_of
from pipeline_dsl.run.export_files import standing
from pipeline_dsl.run.finished import FinishedRun, FinishedStack
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.licences import licence_of
from pipeline_dsl.run.matrix import RetentionMatrix, read_json, read_retention
from pipeline_dsl.run.resume import stored_plan
from pipeline_dsl.run.reuse import cells_in
from pipeline_dsl.run.scoring import score_from_json

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """Everything that a card is made of."""

    plan: Plan
    run: str
    """The run's id."""
    stack: FinishedStack
    phase: PhasePlan
    """What the stack is of."""
    phases: tuple[PhasePlan, ...]
    """The phases that it stands on and its own, in order."""
    records: Mapping[str, Json]
    """What each of them came to, as its ``phase.json`` has it."""
    trained_proof: Json | None
    """The proof of what was merged when the phase was trained."""
    scores: Mapping[tuple[str, str], Score]
    """By row (``base``, a phase) and task."""
    retention: RetentionMatrix
    environment: Json
    device: str
    """On which it was trained and scored, wherever it is exported."""
    licence: Licence | None
    questions: tuple[tuple[Question, Sample | None], ...]
    """The templates of the phase, each with a prompt where one can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFacts:
    """What is known of the export itself."""

    form: ProviderRef
    summary: str
    library: str
    opening: str
    """Markdown that shows how to open it."""
    dtype: str | None
    """The number format to which weights were rounded, if another one was asked for."""
    proof: MergeProof | None


def card_facts(run: FinishedRun, stack: FinishedStack) -> CardFacts:
    """Read what there is to say of a stack; MedrecipeError where a provider fails."""
    phase = phase_of(stack)
    phases = standing(run.plan, phase)
    here = run.folder.path
    described = manifest.read(manifest.adapter_folder(run.folder, phase, phase.trained[0]))
    return CardFacts(
        plan=run.plan,
        run=run.folder.id,
        stack=stack,
        phase=phase,
        phases=phases,
        records={p.name: read_json(run.folder.phase(p.name) / "phase.json") or {} for p in phases},
        trained_proof=described.get("merge"),
        scores=_scores(here),
        retention=read_retention(here),
        environment=read_json(here / "environment.json") or {},
        device=stored_plan(run.folder).device,
        licence=licence_of(run.plan, run.catalog),
        questions=tuple((q, example_of(q)) for q in questions_of(run.plan, run.catalog, phase)),
    )


def phase_of(stack: FinishedStack) -> PhasePlan:
    """Return the phase of a stack that is not the untouched base."""
    if stack.phase is None:
        msg = "the untouched base is of no phase"
        raise ValueError(msg)
    return stack.phase


def shown(facts: CardFacts, run: FinishedRun, folder: str) -> Shown:
    """Return what an exporter may speak of in the card."""
    if facts.plan.base is None:
        msg = "an opened run has a base"
        raise ValueError(msg)
    question, example = next(((q, s) for q, s in facts.questions if s is not None), (None, None))
    return Shown(
        folder=folder,
        base=facts.plan.base,
        layers=tuple(_relative(layer, run.folder) for layer in facts.stack.layers),
        example=example,
        stops=question.stops if question else (),
    )


def example_of(question: Question) -> Sample | None:
    """Return a prompt in which names of columns, in braces, stand for what is asked; None if none fits."""
    row = {name: f"{{{name}}}" for name in question.fields}
    makers: tuple[Callable[[], Sample], ...] = (
        lambda: question.of_row(row),
        lambda: question.of_text("{text}"),
    )
    for make in makers:
        with suppress(MedrecipeError):
            sample = make()
            if sample.prompt or sample.messages:
                return sample
    return None


def _relative(layer: StackLayer, run: RunFolder) -> StackLayer:
    folder = None if layer.folder is None else Path(run.relative(layer.folder))
    return StackLayer(name=layer.name, role=layer.role, adapter=layer.adapter, folder=folder)


def _scores(run: Path) -> dict[tuple[str, str], Score]:
    scores = {}
    for cell in cells_in(run):
        try:
            scores[str(cell["row"]), str(cell["task"])] = score_from_json(cell["score"])
        except (KeyError, TypeError, ValueError):
            continue
    return scores
