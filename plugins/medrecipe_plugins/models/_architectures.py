"""Configurations of small models of real architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline_dsl.api import ModelError

if TYPE_CHECKING:
    from medrecipe_plugins.models.embedded import Options

_ROUND_ROWS_TO = 64


def small_config(options: Options, tokenizer: Any) -> Any:
    """Return the transformers configuration of an embedded model."""
    _refuse_odd_sizes(options)
    rows = -(-len(tokenizer) // _ROUND_ROWS_TO) * _ROUND_ROWS_TO
    common = {
        "vocab_size": rows,
        "hidden_size": options.width,
        "intermediate_size": options.mlp_width,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads,
        "num_key_value_heads": options.kv_heads,
        "max_position_embeddings": options.max_positions,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": True,
    }
    return _BUILDERS[options.architecture](common, options)


def _refuse_odd_sizes(options: Options) -> None:
    if options.width % (2 * options.heads):
        raise ModelError(
            f"width {options.width} is not a multiple of twice the {options.heads} heads", code="MR470"
        )
    if options.heads % options.kv_heads:
        raise ModelError(
            f"kv_heads {options.kv_heads} does not divide the {options.heads} heads", code="MR470"
        )


def _gemma3(common: dict[str, Any], options: Options) -> Any:
    from transformers import Gemma3TextConfig

    head = options.width // options.heads
    return Gemma3TextConfig(
        **common,
        head_dim=head,
        query_pre_attn_scalar=head,
        sliding_window=min(512, options.max_positions),
        layer_types=["full_attention" if i % 2 else "sliding_attention" for i in range(options.layers)],
    )


def _gemma3_multimodal(common: dict[str, Any], options: Options) -> Any:
    from transformers import Gemma3Config, SiglipVisionConfig

    vision = SiglipVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    rows = common["vocab_size"]
    text = _gemma3(common, options)
    return Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=4,
        image_token_index=rows,
        boi_token_index=rows + 1,
        eoi_token_index=rows + 2,
        **{
            key: common[key]
            for key in ("pad_token_id", "bos_token_id", "eos_token_id", "tie_word_embeddings")
        },
    )


def _llama(common: dict[str, Any], _: Options) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(**common)


def _phi3(common: dict[str, Any], options: Options) -> Any:
    from transformers import Phi3Config

    return Phi3Config(**common, original_max_position_embeddings=options.max_positions)


def _phi(common: dict[str, Any], _: Options) -> Any:
    from transformers import PhiConfig

    return PhiConfig(**{**common, "tie_word_embeddings": False})


_BUILDERS = {
    "gemma3": _gemma3,
    "gemma3_multimodal": _gemma3_multimodal,
    "llama": _llama,
    "phi3": _phi3,
    "phi": _phi,
}
