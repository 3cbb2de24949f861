"""What every part of a run shares: the plan, the folder, the listeners, the scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline_dsl.api.contracts import Adapter, LanguageModel, Model
from pipeline_dsl.api.events import EvaluationCompleted
from pipeline_dsl.api.records import LoadRequest, Score, StackLayer, StackReport
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import PhasePlan, Plan
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import manifest
from pipeline_dsl.run.folder import RunFolder
from pipeline_dsl.run.interrupt import Interrupts
from pipeline_dsl.run.listeners import Listeners
from pipeline_dsl.run.scores import Scores
from pipeline_dsl.run.scoring import Scorer


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

    def load_base(self, seed: int) -> LanguageModel:
        """Load the untouched base."""
        model: Model = make(self.catalog, self.plan.model)
        return model.load(LoadRequest(device=self.plan.device, seed=seed))

    def attach(self, model: LanguageModel, phase: PhasePlan, *, trained: bool) -> StackReport:
        """Put a phase's stack on a fresh base.

        Args:
            model: the base.
            phase: whose stack.
            trained: take the adapters that the phase trained as finished, not as to be trained.
        """
        layers = []
        for layer in phase.stack:
            own = layer.adapter in phase.trained
            maker = phase if own and trained else self.plan.phase(layer.made_by) if layer.made_by else None
            folder = None
            if maker is not None:
                folder = self.folder.adapter(maker.name, layer.adapter, alone=len(maker.trained) == 1)
                manifest.read(folder)
            adapter: Adapter = make(self.catalog, self.plan.adapters[layer.adapter])
            role = "freeze" if own and trained else layer.role
            layers.append(StackLayer(name=layer.adapter, role=role, adapter=adapter, folder=folder))
        top: Adapter = layers[-1].adapter
        return top.attach(model, layers)

    def score_row(self, model: Callable[[], LanguageModel], row: str) -> dict[str, Score]:
        """Score all tasks for a row of the matrix, those known from before excepted; ``model`` is asked if needed."""
        known = self.scores.known(row)
        wanted = [t.name for t in self.plan.tasks if t.name not in known]
        new = (
            self.scorer.score_all(model(), wanted, lambda task, score: self.tell_score(row, task, score))
            if wanted
            else {}
        )
        for task, score in known.items():
            self.tell_score(row, task, score)
        scores = {t.name: (known | new)[t.name] for t in self.plan.tasks}
        self.scores.add(row, scores)
        return scores

    def tell_score(self, row: str, task: str, score: Score) -> None:
        """Tell the listeners of a score that is not part of training."""
        self.listeners.tell(EvaluationCompleted(phase=row, task=task, score=score, step=None))
