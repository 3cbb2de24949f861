"""Folding stacked adapters into weights: ours against PEFT's ``merge_and_unload``, interleaved.

    python tests/bench/merging.py [--layers 4] [--width 2048] [--adapters 3] [--repeats 5]

CPU seconds of one process on one thread, bf16 weights, LoRA r 64 on all linear layers; median of the repeats.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from medrecipe_plugins.adapters._merge import _fold


def model_of(layers: int, width: int, adapters: int) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=16, num_key_value_heads=8,
    )  # fmt: skip
    lora = LoraConfig(r=64, lora_alpha=128, target_modules="all-linear")
    module = get_peft_model(LlamaForCausalLM(config).to(torch.bfloat16), lora, adapter_name="a0")
    for n in range(1, adapters):
        module.add_adapter(f"a{n}", lora)
    module.base_model.set_adapter([f"a{n}" for n in range(adapters)])
    return module


def seconds(fold: Any, *shape: int) -> float:
    module = model_of(*shape)
    began = time.process_time()
    fold(module)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("layers", 4), ("width", 2048), ("adapters", 3), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    shape = (given.layers, given.width, given.adapters)
    ours: list[float] = []
    pefts: list[float] = []
    for _ in range(given.repeats):
        ours.append(seconds(lambda m: _fold(m, [f"a{n}" for n in range(given.adapters)]), *shape))
        pefts.append(seconds(lambda m: m.merge_and_unload(), *shape))
    ratios = sorted(p / o for p, o in zip(pefts, ours, strict=True))
    print(f"ours {statistics.median(ours):.2f} s, merge_and_unload {statistics.median(pefts):.2f} s of CPU")
    print(f"ratio {statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]")


if __name__ == "__main__":
    main()
