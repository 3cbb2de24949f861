"""Everything that a run needs, in plain Python: a model is a table of how well it knows which text.

Training writes one more into the table for each text of a batch and takes ``forget`` from all others. The
adapter's ``trace`` is a hash over all batches in their order, so that two trainings that differ in anything
leave different bytes. The trainer can break, be interrupted or end the process at a step, as its options say.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline_dsl.api import (
    Control,
    DataError,
    GuardError,
    LinearShape,
    Memory,
    MergeProof,
    ModelError,
    ModelIdentity,
    ModelShape,
    Need,
    NoOptions,
    Observation,
    Preparation,
    Prepared,
    Provider,
    Score,
    StackReport,
    TrainOutcome,
    events,
    hookimpl,
    option,
)

Table = dict[str, float]
END = 0
"""The end mark; all other tokens are letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyOptions:
    """A base that knows nothing."""

    weights: str = option("1", doc="stands for the content of its weights")
    missing: bool = option(default=False, doc="it cannot be had")


@dataclass
class ToyModule:
    base: Table = field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    trained: tuple[str, ...] = ()

    def knows(self, text: str) -> float:
        return self.base.get(text, 0.0) + sum(x["table"].get(text, 0.0) for x in self.layers.values())


@dataclass
class ToyLanguageModel:
    module: ToyModule
    tokenizer: Any = None
    device: str = "cpu"
    dtype: str = "float32"
    ends: frozenset[int] = frozenset()
    new_tokens: dict[int, str] = field(default_factory=dict)
    fresh_tokens: dict[int, str] = field(default_factory=dict)

    def encode(self, sample):
        return [*map(ord, sample.completion), END], 0

    def observe(self, samples, need, *, max_new_tokens=32):
        seen = []
        for sample in samples:
            known = max(self.module.knows(sample.completion), 0.0)
            text = sample.completion if known >= 1 else ""
            seen.append(Observation(sample=sample, nll=1 / (1 + known), tokens=1, text=text))
        return seen

    def memory(self) -> Memory:
        return Memory(kind="rss", used=2_000_000_000, peak=3_000_000_000)

    def close(self) -> None:
        LOADED.append("close")


LOADED: list[str] = []
"""``load`` and ``close``, as they happen in this process."""


class Toy:
    quantisation = ""

    def __init__(self, options: ToyOptions) -> None:
        self.options = options

    def prepare(self, say) -> None:
        if self.options.missing:
            raise ModelError("the toy is not here")

    def device(self, wanted: str) -> str:
        return "cpu" if wanted == "auto" else wanted

    def identity(self, device: str) -> ModelIdentity:
        weights = hashlib.sha256(self.options.weights.encode()).hexdigest()
        return ModelIdentity(
            name="toy", revision="", weights_sha256=weights, tokenizer_sha256="", chat_template_sha256="",
            architecture="toy",
        )  # fmt: skip

    def shape(self) -> ModelShape:
        return ModelShape(
            parameters=8, linears={"x": LinearShape(d_in=2, d_out=4)}, max_positions=9, vocabulary=9
        )

    def count_tokens(self, samples) -> int:
        return len(samples)

    def load(self, request) -> ToyLanguageModel:
        LOADED.append("load")
        return ToyLanguageModel(module=ToyModule())


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterOptions:
    """A table that is laid over the base's."""

    r: int = option(1, ge=1, doc="its rank")


class ToyAdapter:
    def __init__(self, options: AdapterOptions) -> None:
        self.options = options

    def count(self, shape) -> int:
        return self.options.r * 6

    def attach(self, model, layers) -> StackReport:
        module = model.module
        merged = tuple(layer.name for layer in layers if layer.role == "merge")
        for layer in layers:
            content = {"table": {}, "trace": ""}
            if layer.role != "train":
                content = json.loads((layer.folder / "adapter.json").read_text("utf-8"))
            if layer.role == "merge":
                for text, known in content["table"].items():
                    module.base[text] = module.base.get(text, 0.0) + known
            else:
                module.layers[layer.name] = content
        module.trained = tuple(layer.name for layer in layers if layer.role in {"train", "continue"})
        proof = MergeProof(
            adapters=merged, probes=1, max_abs_logit_difference=0.0, max_kl=0.0, tolerance=1e-4
        )
        return StackReport(
            trainable=module.trained,
            trainable_parameters=6,
            total_parameters=14,
            merge=proof if merged else None,
        )

    def save(self, model, name, folder) -> None:
        text = json.dumps(model.module.layers[name], sort_keys=True, ensure_ascii=False)
        (folder / "adapter.json").write_text(text, encoding="utf-8")
        config = {"r": self.options.r, "lora_alpha": 2 * self.options.r}
        (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """A loop over the samples, one at a time."""

    epochs: int = option(2, ge=0, doc="passes")
    forget: float = option(0.0, ge=0, doc="what each step takes from everything else that is known")
    save_steps: int | None = option(None, ge=1, doc="write a checkpoint every so many steps")
    break_at: int | None = option(None, doc="raise an error after this step")
    nan_at: int | None = option(None, doc="let a guard stop the training after this step")
    signal_at: int | None = option(None, doc="send SIGINT to this process in this step")
    kill_at: int | None = option(None, doc="end this process after this step, as SIGKILL does")
    once: str | None = option(
        None, path=True, doc="a file: what is to happen at a step happens until it is there"
    )


class ToyTrainer:
    def __init__(self, options: TrainOptions) -> None:
        self.options = options

    def preparation(self) -> Mapping[str, Any]:
        return {}

    def prepare(self, model, samples) -> Preparation:
        rows = [Prepared(s.id, model.encode(s)[0], 1) for s in samples]
        longest = max((len(row.ids) for row in rows), default=0)
        return Preparation(rows=rows, dropped=0, shortened=0, longest=longest)

    def steps(self, samples: int | None) -> int:
        if samples is None:
            raise DataError("the toys do not know where a stream ends")
        return self.options.epochs * samples

    def train(self, job) -> TrainOutcome:
        return _Loop(self.options, job).run()


class _Loop:
    def __init__(self, options: TrainOptions, job) -> None:
        self.options = options
        self.job = job
        self.size = len(job.samples)
        self.total = options.epochs * self.size if job.max_steps is None else job.max_steps
        self.module = job.model.module
        self.stop: str | None = None
        self.save = False

    def run(self) -> TrainOutcome:
        step = self.start()
        self.tell(events.Started, step)
        while step < self.total and self.stop is None:
            number, place = divmod(step, self.size)
            if place == 0:
                self.tell(events.EpochStarted, step)
            self.tell(events.IterationStarted, step)
            self.learn(self.job.samples.epoch(number)[place])
            step += 1
            self.misbehave(step)
            figures = {
                "loss": 1 / step,
                "learning_rate": 0.1,
                "grad_norm": 1.0,
                "label_tokens": 1,
                "seconds": 0.0,
            }
            self.tell(events.IterationCompleted, step, done=True, **figures)
            if step % self.size == 0:
                self.tell(events.EpochCompleted, step, done=True, loss=1 / step)
            self.save |= bool(self.options.save_steps) and step % self.options.save_steps == 0
            if self.save:
                self.write(step)
        if self.stop is None or step >= self.total:
            self.tell(events.Completed, step, done=True)
        else:
            self.tell(events.Terminated, step, done=True, reason=self.stop)
        stopped = self.stop if step < self.total else None
        return TrainOutcome(
            steps=step, epochs=step / self.size, loss=0.5, label_tokens=step, stopped=stopped,
            kept_step=self.take_kept(),
        )  # fmt: skip

    def tell(self, kind, step, *, done=False, **more) -> None:
        epoch = max(0, step - int(done)) // self.size + 1
        event = kind(phase=self.job.phase, step=step, max_steps=self.total, epoch=epoch, **more)
        control: Control = self.job.fire(event)
        self.save |= control.checkpoint
        if control.keep:
            self.put(self.job.folder / f"{step}.kept")
        if control.stop and self.stop is None:
            self.stop = control.reason or "told to"

    def learn(self, sample) -> None:
        for name in self.module.trained:
            layer = self.module.layers[name]
            table = layer["table"]
            if self.options.forget:
                for text in {
                    *self.module.base,
                    *(t for x in self.module.layers.values() for t in x["table"]),
                }:
                    table[text] = table.get(text, 0.0) - self.options.forget
            completion = "".join(map(chr, sample.ids[:-1]))
            table[completion] = table.get(completion, 0.0) + 1.0
            layer["trace"] = hashlib.sha256(
                f"{layer['trace']}/{sample.id}/{self.job.seed}".encode()
            ).hexdigest()

    def misbehave(self, step) -> None:
        once = self.options.once
        if once and Path(once).exists():
            return
        wanted = (self.options.break_at, self.options.nan_at, self.options.signal_at, self.options.kill_at)
        if once and step in wanted:
            Path(once).touch()
        if step == self.options.break_at:
            raise RuntimeError("the toy broke")
        if step == self.options.nan_at:
            raise GuardError("the loss is not finite")
        if step == self.options.signal_at:
            os.kill(os.getpid(), signal.SIGINT)
        if step == self.options.kill_at:
            os._exit(9)

    def start(self) -> int:
        found = self.found("json")
        begin = int(found[-1].stem) if found and self.job.resume else 0
        for path in self.found("kept"):
            if int(path.stem) > begin:
                path.unlink()
        if begin:
            self.take(found[-1])
        return begin

    def found(self, kind: str) -> list[Path]:
        return sorted(self.job.folder.glob(f"*.{kind}"), key=lambda p: int(p.stem))

    def take(self, path: Path) -> None:
        self.module.layers.update(json.loads(path.read_text("utf-8")))

    def take_kept(self) -> int | None:
        kept = self.found("kept")
        if not kept:
            return None
        self.take(kept[-1])
        return int(kept[-1].stem)

    def put(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        layers = {name: self.module.layers[name] for name in self.module.trained}
        path.write_text(json.dumps(layers, ensure_ascii=False), encoding="utf-8")

    def write(self, step) -> None:
        self.save = False
        path = self.job.folder / f"{step}.json"
        self.put(path)
        self.tell(events.CheckpointSaved, step, done=True, folder=str(path))


class Recall:
    """Share of the texts that are known."""

    need = Need.COMPLETIONS
    higher_is_better = True
    max_new_tokens = 4
    details: Sequence[str] = ("silent",)

    def __init__(self, options: Any) -> None:
        self.options = options

    def score(self, observations) -> Score:
        right = [float(o.text == o.sample.completion) for o in observations]
        value = sum(right) / len(right)
        return Score(
            value=value, low=value, high=value, n=len(right), protocol="recall",
            details={"silent": right.count(0.0)},
        )  # fmt: skip


class Surprise:
    """Mean loss: the lower the better."""

    need = Need.TOKEN_LOSSES
    higher_is_better = False
    max_new_tokens = 1
    details: Sequence[str] = ()

    def __init__(self, options: Any) -> None:
        self.options = options

    def score(self, observations) -> Score:
        value = sum(o.nll for o in observations) / len(observations)
        return Score(
            value=value,
            low=value,
            high=value,
            n=len(observations),
            protocol="surprise",
            higher_is_better=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOptions:
    """Write down what happened, or break."""

    file: str = option(path=True, doc="where to")
    fail: bool = option(default=False, doc="break instead")


class Note:
    """An action that writes event, step and values into a file, line by line."""

    def __init__(self, options: NoteOptions) -> None:
        self.options = options

    def act(self, event, values: Mapping[str, float], controls) -> None:
        if self.options.fail:
            raise ZeroDivisionError("the note broke")
        line = json.dumps({"event": event.name, "step": getattr(event, "step", None), "values": dict(values)})
        with Path(self.options.file).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """Ask for something that may not be there."""

    what: str = option("evaluate", doc="evaluate, checkpoint or stop")
    tasks: tuple[str, ...] = option((), doc="what to evaluate")


class Ask:
    def __init__(self, options: AskOptions) -> None:
        self.options = options

    def act(self, event, values, controls) -> None:
        match self.options.what:
            case "evaluate":
                controls.evaluate(self.options.tasks)
            case "checkpoint":
                controls.checkpoint()
            case _:
                controls.stop("asked to")


def offer(kind: str, *rows: tuple[str, Any, type]):
    def offers() -> Sequence[Provider]:
        return [
            Provider(name=name, summary=f"a toy {kind}", factory=factory, options=options)
            for name, factory, options in rows
        ]

    offers.__name__ = f"medrecipe_{kind}s"
    return hookimpl(offers)


medrecipe_models = offer("model", ("toy", Toy, ToyOptions))
medrecipe_adapters = offer("adapter", ("table", ToyAdapter, AdapterOptions))
medrecipe_trainers = offer("trainer", ("loop", ToyTrainer, TrainOptions))
medrecipe_metrics = offer("metric", ("recall", Recall, NoOptions), ("surprise", Surprise, NoOptions))
medrecipe_actions = offer("action", ("note", Note, NoteOptions), ("ask", Ask, AskOptions))
