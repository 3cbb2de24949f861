"""transformers' Trainer with our loss, our batches, our checkpoints and our way out of too little memory."""

from __future__ import annotations

import gc
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback

from medrecipe_plugins.trainers import _weights
from medrecipe_plugins.trainers._batches import IGNORED, Batches, loader
from medrecipe_plugins.trainers._ledger import Step, Totals
from medrecipe_plugins.trainers._micro import MicroBatches, wants_memory
from medrecipe_plugins.trainers._objective import Inputs, Objective
from medrecipe_plugins.trainers._randomness import Randomness
from medrecipe_plugins.trainers._resuming import ResumingTrainer
from pipeline_dsl.api import GuardError


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a training is made of besides the Trainer's own settings."""

    objective: Objective
    source: Batches
    step: Step
    totals: Totals
    sizes: MicroBatches
    say: Callable[[str], None]
    rehearse: bool
    """Whether the largest micro-batch goes through the model once before the first step."""

    def write(self, folder: Path, step: int) -> None:
        """Put the sums so far, where the data go on, and the sizes of micro-batches into a checkpoint."""
        self.totals.write(folder)
        self.source.write(folder, step)
        self.sizes.write(folder, step)


class EventTrainer(ResumingTrainer):
    """The Trainer's loop, optimizers and schedulers.

    Different from its parents: the loss of an optimizer step is the mean over the label tokens of all its
    micro-batches whatever the model's own forward does; a loss or gradient that is not finite ends the
    training before the weights change; where memory does not suffice, micro-batches are cut into parts.
    """

    def __init__(self, work: Work, *, keep: int | None, **settings: Any) -> None:
        super().__init__(more=work.write, keep=keep, **settings)
        self.model_accepts_loss_kwargs = True
        self.remove_callback(PrinterCallback)
        self._work = work
        self._step = work.step
        self._rehearsed = not work.rehearse
        self._trained = tuple(_weights.trainable(self.model).values())

    def get_train_dataloader(self) -> Any:
        """The micro-batches of the current epoch."""
        return loader(self._work.source, self._work.objective.collate)

    def floating_point_ops(self, inputs: Any) -> int:  # noqa: ARG002 - the parent's signature
        """Nobody reads this figure, and counting parameters takes time."""
        return 0

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Take the micro-batches of one optimizer step and count their label tokens."""
        taken = list(itertools.islice(epoch_iterator, num_batches))
        self._step.batches, self._step.begun, self._step.loss = taken, 0, 0.0
        self._step.tokens = sum(_label_tokens(batch) for batch in taken)
        return taken, torch.tensor(self._step.tokens, device=device)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - the parent's signature
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the objective's loss."""
        loss = self._work.objective.loss(model, inputs, num_items_in_batch)
        return (loss, {}) if return_outputs else loss

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Forward and backward of one micro-batch; after the last one of a step, look at the gradient.

        Raises:
            GuardError: loss or gradient is not finite.
            MachineError: memory does not suffice for one sample at a time.
        """
        step = self._step
        if not self._rehearsed:
            self._rehearse(model)
        if step.begun == 0:
            step.randomness = Randomness.now()
        step.begun += 1
        loss = self._tried(lambda: self._forward([inputs], model, num_items_in_batch))
        while loss is None:
            self._cut_smaller(model)
            loss = self._tried(lambda: self._again(model, num_items_in_batch))
        if not math.isfinite(float(loss)):
            raise self._not_finite("the loss")
        if self.accelerator.sync_gradients:
            self._look_at_gradients()
        return loss

    def _forward(self, batches: list[Inputs], model: torch.nn.Module, items: Any) -> torch.Tensor:
        """Forward and backward of micro-batches, part by part; return the sum of the losses of the last."""
        size = self._work.sizes.at(self.state.global_step + 1)
        total = torch.zeros(())
        for inputs in batches:
            parts = self._work.objective.parts(inputs, size)
            losses = [self._learn(model, part, items) for part in parts]
            total = sum(losses[1:], losses[0])
            self._step.loss += float(total)
        return total

    def _learn(self, model: torch.nn.Module, part: Inputs, items: Any) -> torch.Tensor:
        """Forward and backward of a part, as the parent has it for one device.

        The parent sets the mode of every module each time, which takes as long as a small model's forward.
        """
        if not model.training:
            model.train()
        loss = self.compute_loss(model, self._prepare_inputs(dict(part)), num_items_in_batch=items)
        self.accelerator.backward(loss)
        return loss.detach()

    def _clip_grad_norm(self, model: torch.nn.Module) -> torch.Tensor:  # noqa: ARG002 - the parent's signature
        """Scale the gradients to ``max_grad_norm`` by the norm that ``training_step`` has looked at."""
        norm = torch.tensor(self._step.grad_norm, device=self.args.device)
        torch.nn.utils.clip_grads_with_norm_(self._trained, self.args.max_grad_norm, norm)
        return norm

    def _again(self, model: torch.nn.Module, items: Any) -> torch.Tensor:
        """Begin the optimizer step anew, up to the micro-batch in work."""
        step = self._step
        if step.randomness is not None:
            step.randomness.restore()
        step.loss = 0.0
        return self._forward(list(step.batches[: step.begun]), model, items)

    def _rehearse(self, model: torch.nn.Module) -> None:
        """See whether memory suffices for the largest micro-batch; nothing else comes of it."""
        self._rehearsed = True
        samples = self._work.source.largest()
        if not samples:
            return
        before, inputs = Randomness.now(), self._work.objective.collate(samples)
        items = torch.tensor(max(1, _label_tokens(inputs)), device=self.args.device)
        while self._tried(lambda: self._forward([inputs], model, items)) is None:
            self._cut_smaller(model)
        model.zero_grad(set_to_none=True)
        before.restore()
        self._step.loss = 0.0

    def _tried(self, work: Callable[[], torch.Tensor]) -> torch.Tensor | None:
        """Return what comes of a work; None, with all that it held free, where memory does not suffice."""
        try:
            return work()
        except RuntimeError as error:
            if not wants_memory(error):
                raise
        return None

    def _cut_smaller(self, model: torch.nn.Module) -> None:
        """Halve the micro-batches from this step on; an optimizer step keeps its samples."""
        step, sizes = self.state.global_step + 1, self._work.sizes
        before, size = sizes.at(step), sizes.halve(step)
        model.zero_grad(set_to_none=True)
        if torch.cuda.is_initialized():
            gc.collect()
            torch.cuda.empty_cache()
        self._work.say(
            f"memory does not suffice for {before} samples at once in step {step}: {size} at once from there "
            "on, the same samples in every optimizer step"
        )

    def _look_at_gradients(self) -> None:
        gradients = [p.grad for p in self._trained if p.grad is not None]
        self._step.grad_norm = float(torch.nn.utils.get_total_norm(gradients))
        if not math.isfinite(self._step.grad_norm):
            raise self._not_finite("the gradient")

    def _not_finite(self, what: str) -> GuardError:
        return _weights.not_finite(what, self.state.global_step + 1)


def _label_tokens(inputs: Inputs) -> int:
    return int((inputs["labels"] != IGNORED).sum())
