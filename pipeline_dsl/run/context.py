"""What every part of a run shares: the plan, the folder, the listeners, the scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline_dsl.api.contracts import LanguageModel
from pipeline_dsl.api.events import EvaluationCompleted
from pipeline_dsl.api.records import Score, StackReport
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.interrupt import Interrupts
from pipeline_dsl.run.listeners import Listeners
from pipeline_dsl.run.retention import BASE
from pipeline_dsl.run.scores import Scores
from pipeline_dsl.run.scoring import Scorer
from pipeline_dsl.run.stack import attach, layers_of, load_base


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One run while it lasts."""

    plan: Plan
    catalog: Catalog
    folder: RunFolder
    listeners: Listeners
    scorer: Scorer
    scores: Scores
    interrupts: Interrupts
    say: Callable[[str], None]
    scoring: bool = True
    """Whether tasks are scored at all."""

    def load_base(self, seed: int) -> LanguageModel:
        """Load the untouched base."""
        return load_base(self.plan, self.catalog, seed)

    def attach(
        self, model: LanguageModel, phase: PhasePlan, *, trained: bool, stage: str | None = None
    ) -> StackReport:
        """Put a phase's stack on a fresh base; see ``stack.layers_of``.

        Raises:
            ModelError: an adapter is damaged, or is not the one that belongs there.
        """
        layers = layers_of(self.plan, self.catalog, self.folder, phase, trained=trained, stage=stage)
        return attach(self.plan, model, layers)

    def score_row(
        self, model: Callable[[], LanguageModel], row: str, tell: Callable[[str, Score], None]
    ) -> None:
        """Score all tasks for a row of the matrix, but those known from before; none in a run without scores.

        Args:
            model: gives the model, if it is needed.
            row: ``base`` or a phase.
            tell: is told of each score.
        """
        if not self.scoring:
            return
        known = self.scores.known(row)
        wanted = [t.name for t in self.plan.tasks if t.name not in known]
        new = self.scorer.score_all(model(), wanted, tell) if wanted else {}
        for task, score in known.items():
            tell(task, score)
        self.scores.add(row, {t.name: (known | new)[t.name] for t in self.plan.tasks})

    def tell_base_score(self, task: str, score: Score) -> None:
        """Tell the listeners of a score of the untouched base."""
        self.listeners.tell(EvaluationCompleted(phase=BASE, task=task, score=score, step=None))
