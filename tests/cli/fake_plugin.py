"""A model, an adapter and a trainer that do nothing, quickly: for tests of the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from pipeline_dsl.api import (
    GuardError,
    LinearShape,
    Memory,
    ModelIdentity,
    ModelShape,
    NoOptions,
    Observation,
    Preparation,
    Prepared,
    Provider,
    StackReport,
    TrainOutcome,
    events,
    hookimpl,
    option,
)


class Language:
    module = tokenizer = None
    device, dtype = "cpu", "float32"

    def __init__(self) -> None:
        self.learned = 0
        self.new_tokens, self.fresh_tokens = {}, {}

    def observe(self, samples, need, *, max_new_tokens=32):
        nll = 2.0 / (1 + self.learned)
        return [Observation(sample=s, nll=nll + 0.01 * i, tokens=1, text="") for i, s in enumerate(samples)]

    def memory(self) -> Memory:
        return Memory(kind="rss", used=2_000_000_000, peak=3_000_000_000)

    def close(self) -> None:
        pass


class Model:
    quantisation = ""

    def __init__(self, options) -> None:
        pass

    def prepare(self, say) -> None:
        pass

    def device(self, wanted: str) -> str:
        return "cpu" if wanted == "auto" else wanted

    def identity(self, device: str) -> ModelIdentity:
        return ModelIdentity(
            name="fake",
            revision="",
            weights_sha256="",
            tokenizer_sha256="",
            chat_template_sha256="",
            architecture="fake",
        )

    def shape(self) -> ModelShape:
        return ModelShape(
            parameters=1000, linears={"q": LinearShape(d_in=2, d_out=3)}, max_positions=8, vocabulary=9
        )

    def count_tokens(self, samples) -> int:
        return 7 * len(samples)

    def load(self, request) -> Language:
        return Language()


class Adapter:
    def __init__(self, options) -> None:
        pass

    def count(self, shape) -> int:
        return 50

    def attach(self, model, layers) -> StackReport:
        model.learned += sum(layer.folder is not None for layer in layers)
        return StackReport(trainable=("x",), trainable_parameters=50, total_parameters=1050)

    def save(self, model, name: str, folder: Path) -> None:
        (folder / "weights.txt").write_text(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerOptions:
    """How the fake trains."""

    max_steps: int = option(20, ge=1, doc="steps")
    fail_at: int | None = option(None, doc="the step at which it fails")
    interrupt_at: int | None = option(None, doc="the step at which the user presses Ctrl-C")


class Trainer:
    def __init__(self, options: TrainerOptions) -> None:
        self.options = options

    def preparation(self):
        return {}

    def prepare(self, model, samples) -> Preparation:
        rows = [Prepared(sample.id, (5, 1), 1) for sample in samples]
        return Preparation(rows=rows, dropped=0, shortened=0, longest=2)

    def steps(self, samples: int | None) -> int:
        return self.options.max_steps

    def train(self, job) -> TrainOutcome:
        total = self.options.max_steps
        at = SimpleNamespace(phase=job.phase, max_steps=total, epoch=1)
        job.fire(events.Started(step=0, **vars(at)))
        for step in range(1, total + 1):
            if step == self.options.fail_at:
                raise GuardError("the loss is not finite", code="MR495")
            if step == self.options.interrupt_at:
                raise KeyboardInterrupt
            job.fire(
                events.IterationCompleted(
                    step=step,
                    loss=1 / step,
                    learning_rate=1e-3,
                    grad_norm=1.0,
                    label_tokens=5,
                    seconds=0.1,
                    **vars(at),
                )
            )
        job.fire(events.Completed(step=total, **vars(at)))
        job.model.learned += 1
        return TrainOutcome(steps=total, epochs=1.0, loss=0.5, label_tokens=5 * total)


@hookimpl
def medrecipe_models() -> Sequence[Provider]:
    return [Provider(name="fake", summary="no model", factory=Model, options=NoOptions)]


@hookimpl
def medrecipe_adapters() -> Sequence[Provider]:
    return [Provider(name="fake", summary="no adapter", factory=Adapter)]


@hookimpl
def medrecipe_trainers() -> Sequence[Provider]:
    return [Provider(name="fake", summary="no training", factory=Trainer, options=TrainerOptions)]
