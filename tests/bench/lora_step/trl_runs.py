"""C, D and D1: TRL's SFTTrainer as people write it, with packing, and at its best."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import datasets
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer
from trl.data_utils import pack_dataset
from trl.trainer import utils as trl_utils

from lora_step import shapes
from lora_step.meter import Meter
from lora_step.padded import lora_config
from lora_step.texts import Ids


class Counted(SFTTrainer):
    """TRL's trainer, which counts tokens."""

    def __init__(self, *, meter: Meter, **settings: Any) -> None:
        super().__init__(**settings)
        self._meter = meter
        self.add_callback(_Watch(meter))

    def get_batch_samples(self, *arguments: Any, **named: Any) -> Any:
        batches, items = super().get_batch_samples(*arguments, **named)
        self._meter.labels.append(sum(int((b["labels"][:, 1:] != -100).sum()) for b in batches))
        self._meter.tokens.append(
            sum(int(b.get("attention_mask", b["input_ids"]).ne(0).sum()) for b in batches)
        )
        return batches, items


class AtLabels(Counted):
    """TRL's trainer, whose head computes label positions alone on a CPU, too.

    TRL 1.16 does so where ``trl.trainer.utils._use_triton`` says that the device has Triton kernels, and
    scores all positions elsewhere. Here the head's question is answered with yes; the kernels themselves ask
    in ``trl.kernels.chunked_logprob``, where the answer stays no, so that they are TRL's for a CPU.
    """

    def compute_loss(self, *arguments: Any, **named: Any) -> Any:
        with patch.object(trl_utils, "_use_triton", return_value=True):
            return super().compute_loss(*arguments, **named)


class _Watch(TrainerCallback):
    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._meter.begin()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._meter.stepped()

    def on_log(self, *arguments: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" in logs:
            self._meter.losses.append(logs["loss"])


def train(
    folder: Path,
    samples: list[Ids],
    micro_batch: int,
    meter: Meter,
    *,
    packing: bool,
    best: bool,
    dtype: str,
) -> None:
    """Train once over the samples, or packs of them of ``MAX_LENGTH`` tokens, ``micro_batch`` at once.

    The model is loaded as TRL loads it by name: in fp32, computed in ``dtype`` by autocast; at its best in
    ``dtype``. Samples are handed over as ids and labels, which is what prompts and completions become.
    """
    data = datasets.Dataset.from_list(
        [{"input_ids": ids, "labels": [-100] * start + ids[start:]} for ids, start in samples]
    )
    accumulated = shapes.SAMPLES_A_STEP // micro_batch
    if packing:
        packs, count = len(pack_dataset(data, shapes.MAX_LENGTH, "bfd")), len(samples)
        accumulated = max(1, round(packs * shapes.SAMPLES_A_STEP / count / micro_batch))
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as output:
        trainer = (AtLabels if best else Counted)(
            meter=meter,
            model=AutoModelForCausalLM.from_pretrained(
                folder, dtype=getattr(torch, dtype) if best else torch.float32
            ),
            processing_class=AutoTokenizer.from_pretrained(folder),
            train_dataset=data,
            peft_config=lora_config(),
            args=_config(
                output, micro_batch, accumulated, packing=packing, best=best, half=dtype == "bfloat16"
            ),
        )
        trainer.train()
    if packing:
        meter.extra["documents_cross"] = _cross(trainer, samples, half=dtype == "bfloat16")


def _config(output: str, micro_batch: int, accumulated: int, *, packing: bool, best: bool, half: bool) -> Any:
    return SFTConfig(
        output_dir=output,
        bf16=half,
        packing=packing,
        max_length=shapes.MAX_LENGTH,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=accumulated,
        num_train_epochs=1,
        learning_rate=shapes.LEARNING_RATE,
        gradient_checkpointing=not best,
        report_to="none",
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
        train_sampling_strategy="sequential",
    )


def _cross(trainer: Any, samples: list[Ids], *, half: bool) -> bool:
    """Whether the second document of a pack sees the first."""
    one, other = samples[0][0], samples[1][0]
    rows = [[*one, *other], [*([5] * len(one)), *other]]
    lengths = [[len(one), len(other)]]
    trainer.model.eval()
    seen = []
    for row in rows:
        batch = trainer.data_collator([{"input_ids": row, "labels": row, "seq_lengths": lengths[0]}])
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            logits = trainer.model(
                **{k: v for k, v in batch.items() if k != "labels"}, use_cache=False
            ).logits
        seen.append(logits[0, len(one) :])
    return not torch.equal(*seen)
