"""transformers' Trainer with checkpoints of its own kind: safetensors and JSON, sealed, and no pickle.

These are all methods of the Trainer that write or read a checkpoint. It calls them from ``train`` and its
loop; that it calls no other, and that no pickle is ever written or read, ``test_checkpoint_files.py`` holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import Trainer

from medrecipe_plugins.trainers import _checkpoints, _optimizer, _weights
from medrecipe_plugins.trainers._randomness import Randomness

STATE = "trainer_state.json"
"""The Trainer reads it by that name."""
SCHEDULER = "scheduler.json"


class ResumingTrainer(Trainer):  # type: ignore[misc]  # transformers is not followed
    """A Trainer whose checkpoints have the trainable weights alone, by name, and all that else is exact.

    Args:
        more: writes what the caller has to remember at a step into a checkpoint.
        keep: checkpoints that are kept; None for all.
        settings: the Trainer's own.
    """

    def __init__(self, *, more: Callable[[Path, int], None], keep: int | None, **settings: Any) -> None:
        super().__init__(**settings)
        self._more = more
        self._keep = keep

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:  # noqa: FBT001, FBT002
        """Write the trainable weights."""
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        _weights.write(self.model, folder, self.state.global_step)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:  # noqa: ARG002 - the parent's signature
        folder, step = Path(str(self.args.output_dir)), self.state.global_step
        with _checkpoints.told(f"the checkpoint of step {step} cannot be written", folder):
            _checkpoints.save(folder, step, self._write)
            _checkpoints.rotate(folder, self._keep)

    def _write(self, folder: Path) -> None:
        self.save_model(str(folder))
        _optimizer.write(self.optimizer, _weights.trainable(self.model), folder)
        scheduler = json.dumps(self.lr_scheduler.state_dict())
        (folder / SCHEDULER).write_text(scheduler + "\n", encoding="utf-8")
        Randomness.now().write(folder)
        self.state.save_to_json(str(folder / STATE))
        self._more(folder, self.state.global_step)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
        _weights.load(self.model, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        folder = Path(checkpoint)
        _optimizer.load(self.optimizer, _weights.trainable(self.model), folder)
        self.lr_scheduler.load_state_dict(json.loads((folder / SCHEDULER).read_text(encoding="utf-8")))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            Randomness.read(Path(checkpoint)).restore()

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Nothing: no training of ours scales its loss."""
