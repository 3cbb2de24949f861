"""transformers' Trainer with our loss, our batches and our checkpoints."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PrinterCallback, Trainer

from medrecipe_plugins.trainers import _checkpoints, _weights
from medrecipe_plugins.trainers._batches import IGNORED, Batches, loader
from medrecipe_plugins.trainers._ledger import Step, Totals
from pipeline_dsl.api import GuardError, MachineError


class EventTrainer(Trainer):  # type: ignore[misc]  # transformers is not followed
    """The Trainer's loop, optimizers and schedulers.

    Different from its parent: the loss of an optimizer step is the mean over the label tokens of all its
    micro-batches whatever the model's own forward does; a loss or gradient that is not finite ends the
    training before the weights change; a checkpoint has the trainable weights alone, by name.
    """

    def __init__(
        self, *, source: Batches, step: Step, totals: Totals, keep: int | None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.model_accepts_loss_kwargs = True
        self.remove_callback(PrinterCallback)
        self._source = source
        self._step = step
        self._totals = totals
        self._keep = keep

    def get_train_dataloader(self) -> Any:
        """The micro-batches of the current epoch."""
        return loader(self._source)

    def floating_point_ops(self, inputs: Any) -> int:  # noqa: ARG002 - the parent's signature
        """Nobody reads this figure, and counting parameters takes time."""
        return 0

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Take the micro-batches of one optimizer step and count their label tokens."""
        taken = list(itertools.islice(epoch_iterator, num_batches))
        self._step.loss = 0.0
        self._step.tokens = sum(int((batch["labels"] != IGNORED).sum()) for batch in taken)
        return taken, torch.tensor(self._step.tokens, device=device)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - the parent's signature
        num_items_in_batch: Any = None,
    ) -> Any:
        """Sum of -log p over the label tokens of a micro-batch / label tokens of the optimizer step."""
        labels = inputs["labels"].flatten()
        outputs = model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        )
        learned = (labels != IGNORED).nonzero().squeeze(1)
        logits = outputs.logits.flatten(0, 1).index_select(0, learned).float()
        total = torch.nn.functional.cross_entropy(logits, labels.index_select(0, learned), reduction="sum")
        loss = total / num_items_in_batch
        if not math.isfinite(loss.item()):
            raise self._not_finite("the loss")
        return (loss, outputs) if return_outputs else loss

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Any:
        """Forward and backward of one micro-batch; after the last one of a step, look at the gradient."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._step.loss += float(loss)
        if self.accelerator.sync_gradients:
            gradients = [p.grad for p in _weights.trainable(self.model).values() if p.grad is not None]
            self._step.grad_norm = float(torch.nn.utils.get_total_norm(gradients))
            if not math.isfinite(self._step.grad_norm):
                raise self._not_finite("the gradient")
        return loss

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:  # noqa: FBT001, FBT002
        """Write the trainable weights, the sums so far, and where the data go on."""
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        _weights.write(self.model, folder, self.state.global_step)
        self._totals.write(folder)
        self._source.write(folder, self.state.global_step)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
        _weights.load(self.model, Path(resume_from_checkpoint))

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        folder = _checkpoints.path_of(Path(str(self.args.output_dir)), self.state.global_step)
        try:
            super()._save_checkpoint(model, trial)
            _checkpoints.seal(folder)
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            message = f"the checkpoint of step {self.state.global_step} cannot be written: {error}"
            raise MachineError(
                message, place=str(folder), help="free space; resuming starts from the last one"
            ) from error
        _checkpoints.rotate(folder.parent, self._keep)

    def _not_finite(self, what: str) -> GuardError:
        return _weights.not_finite(what, self.state.global_step + 1)
