"""Models of three sizes with random weights, kept in a folder as they come from a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SPECIAL = ("<pad>", "<eos>", "<bos>")
SHAPES: dict[str, dict[str, int]] = {
    "S": {"layers": 4, "width": 256, "vocabulary": 32_768, "heads": 4, "head": 64, "mlp": 1024},
    "M": {"layers": 12, "width": 512, "vocabulary": 16_384, "heads": 4, "head": 128, "mlp": 2048},
    "L": {"layers": 18, "width": 640, "vocabulary": 262_144, "heads": 4, "head": 256, "mlp": 2048},
}
"""L is Gemma 3 270M."""
TRAINED_VOCABULARY = 32_768
"""Tokens that the texts at hand can fill; ids of a larger vocabulary are these, spread over it."""
MICRO_BATCH = {"S": 8, "M": 8, "L": 2}
"""Padded samples that are computed at once: logits of 262,144 tokens leave room for fewer."""
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj"]
RANK, ALPHA, DROPOUT = 16, 32, 0.05
MAX_LENGTH = 512
SAMPLES_A_STEP = 16
LEARNING_RATE = 1e-6
"""So small that the mean loss of a whole run is the same in whatever order samples come."""


def spread(shape: str) -> int:
    """By what the tokenizer's ids are multiplied."""
    return max(1, SHAPES[shape]["vocabulary"] // TRAINED_VOCABULARY)


def tokenizer_of(texts: list[str], shape: str) -> Any:
    """Train a byte-level BPE on the texts."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    trained = ByteLevelBPETokenizer()
    size = min(SHAPES[shape]["vocabulary"], TRAINED_VOCABULARY)
    trained.train_from_iterator(
        texts, vocab_size=size, min_frequency=1, special_tokens=list(SPECIAL), show_progress=False
    )
    pad, eos, bos = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer, pad_token=pad, eos_token=eos, bos_token=bos
    )


def save_model(shape: str, tokenizer: Any, folder: Path) -> None:
    """Write weights in bfloat16 and the tokenizer."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    size = SHAPES[shape]
    config = Gemma3TextConfig(
        vocab_size=size["vocabulary"],
        hidden_size=size["width"],
        intermediate_size=size["mlp"],
        num_hidden_layers=size["layers"],
        num_attention_heads=size["heads"],
        num_key_value_heads=1,
        head_dim=size["head"],
        query_pre_attn_scalar=size["head"],
        sliding_window=512,
        max_position_embeddings=2048,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    torch.manual_seed(0)
    module = Gemma3ForCausalLM(config).to(torch.bfloat16)
    module.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
