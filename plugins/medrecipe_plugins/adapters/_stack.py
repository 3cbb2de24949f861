"""Put adapters on a model in order, each under its own name, and train exactly those that are meant."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, PeftModelForCausalLM
from peft.tuners.lora import LoraLayer

from medrecipe_plugins.adapters import _targets, _together, _token_rows
from medrecipe_plugins.adapters._fast_linear import use_fast_layers
from medrecipe_plugins.adapters._loading import load_weights, saved_config
from medrecipe_plugins.adapters._noise import expected_warnings
from medrecipe_plugins.models._quantisation import is_quantised
from medrecipe_plugins.models._shape import linear_shapes, not_text
from pipeline_dsl.api import GuardError, LanguageModel, ModelError, StackLayer

_PARTS = ("lora_A", "lora_B", "lora_magnitude_vector")
_TRAINED = ("train", "continue")
_WEIGHT_CHANGING = ("olora", "pissa")


def put_on(model: LanguageModel, base: Any, layers: Sequence[StackLayer]) -> tuple[Any, dict[str, str]]:
    """Return the base with adapters, bottom first and all active, and PEFT's names by the recipe's."""
    names = {layer.name: peft_name(layer.name, base) for layer in layers}
    configs = {layer.name: _config(model, base, layer) for layer in layers}
    _together.refuse_dora([name for name, config in configs.items() if config.use_dora], len(configs))
    _together.refuse_rows([name for name, config in configs.items() if config.trainable_token_indices])
    peft: Any = None
    for layer in layers:
        name, config = names[layer.name], configs[layer.name]
        with _own_randomness(model, layer.name), expected_warnings():
            if peft is None:
                peft = PeftModelForCausalLM(base, config, adapter_name=name, autocast_adapter_dtype=True)
            else:
                peft.add_adapter(name, config, autocast_adapter_dtype=True)
        if layer.role != "train":
            load_weights(peft, layer, name)
    peft.base_model.set_adapter([names[layer.name] for layer in layers])
    peft.active_adapter = names[layers[-1].name]
    for layer in layers:
        peft.base_model.set_requires_grad(names[layer.name], requires_grad=layer.role in _TRAINED)
    verify_trainable(peft, [names[layer.name] for layer in layers if layer.role in _TRAINED])
    return peft, names


def verify_trainable(peft: Any, adapters: Sequence[str]) -> None:
    """Raise GuardError unless exactly the parameters of these adapters are trainable, in 32 bits."""
    meant = {
        f"{path}.{part}.{adapter}.weight"
        for path, layer in peft.named_modules()
        if isinstance(layer, LoraLayer)
        for part in _PARTS
        for adapter in adapters
        if adapter in getattr(layer, part)
    }
    meant.update(_token_rows.trained_names(peft, adapters))
    found = {name for name, p in peft.named_parameters() if p.requires_grad}
    if found != meant or (adapters and not meant):
        odd = sorted(found ^ meant)
        raise GuardError(
            f"{len(odd)} parameters are wrongly trained or frozen, first {odd[0] if odd else 'none at all'}",
            code="MR483",
        )
    half = [n for n, p in peft.named_parameters() if p.requires_grad and p.dtype != torch.float32]
    if half:
        raise GuardError(f"{len(half)} trained parameters are not in float32, first {half[0]}", code="MR483")


def peft_name(name: str, base: Any) -> str:
    """Return a name under which PEFT can keep an adapter: the recipe's own, unless PEFT would trip over it.

    PEFT makes it an attribute of a ModuleDict or ParameterDict and looks for ``.name.`` in names of weights,
    so that ``train``, ``mlp`` or ``a.b`` would break; these get a prefix. Saved files have nothing of it.
    """
    parts = {part for path, _ in base.named_modules() for part in path.split(".")}
    clash = (
        name in parts
        or name in _token_rows.PARTS
        or hasattr(torch.nn.ModuleDict(), name)
        or hasattr(torch.nn.ParameterDict(), name)
        or "." in name
        or name in "lora_"
        or "lora_" in name
    )
    return "adapter-" + name.replace(".", "-").replace("lora_", "lora-") if clash else name


def _config(model: LanguageModel, base: Any, layer: StackLayer) -> LoraConfig:
    with expected_warnings():
        config = _new_config(model, base, layer) if layer.role == "train" else saved_config(layer)
    _token_rows.verify_saved(model, base, config, layer.name)
    _refuse_tied(base, config)
    _refuse_decomposing(base, config, layer.name)
    _refuse_dora_of_8_bits(base, config, layer.name)
    if not is_quantised(base):
        use_fast_layers(config)
    return config


def _new_config(model: LanguageModel, base: Any, layer: StackLayer) -> LoraConfig:
    options = layer.adapter.options
    linears, skipped = linear_shapes(base), _targets.left_out(options, not_text(base))
    targets = _targets.resolve(options, linears, skipped)
    _targets.rank_of(options, _targets.targeted(targets, linears, skipped))
    identity = getattr(model, "identity", None)
    rows = options.train_new_tokens
    return LoraConfig(
        task_type="CAUSAL_LM",
        base_model_name_or_path=getattr(identity, "name", None),
        revision=getattr(identity, "revision", None) or None,
        r=options.r,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        use_rslora=options.use_rslora,
        use_dora=options.use_dora,
        target_modules=targets,
        exclude_modules=_targets.excluded(targets, linears, skipped),
        rank_pattern=dict(options.rank_pattern or {}),
        alpha_pattern=dict(options.alpha_pattern or {}),
        init_lora_weights=options.init,
        bias=options.bias,
        trainable_token_indices=_token_rows.indices(model, base, rows) if rows else None,
    )


def _refuse_tied(base: Any, config: LoraConfig) -> None:
    """Raise ModelError for an adapter on an output layer that shares its weight with the embeddings."""
    output = getattr(base.get_output_embeddings(), "weight", None)
    targets = config.target_modules if isinstance(config.target_modules, (set, list)) else ()
    if output is base.get_input_embeddings().weight and any(
        t.rpartition(".")[2] == "lm_head" for t in targets
    ):
        raise ModelError(
            "lm_head shares its weight with the embeddings, so that an adapter on it cannot be merged",
            help="take lm_head out of target_modules",
            code="MR465",
        )


def _refuse_decomposing(base: Any, config: LoraConfig, name: str) -> None:
    """PiSSA and OLoRA take their first weights out of the base's, which 4 and 8 bits cannot give exactly."""
    if config.init_lora_weights in _WEIGHT_CHANGING and is_quantised(base):
        raise ModelError(
            f"the adapter {name} starts by {config.init_lora_weights}, which changes weights of the base,"
            " but the base is quantised",
            help="leave init out, or load the base in 16 bits",
            code="MR478",
        )


def _refuse_dora_of_8_bits(base: Any, config: LoraConfig, name: str) -> None:
    """PEFT 0.21 moves an 8-bit weight of a CPU to read it for DoRA, and loses its scales on the way."""
    if config.use_dora and getattr(base, "is_loaded_in_8bit", False) and base.device.type == "cpu":
        raise ModelError(
            f"the DoRA adapter {name} cannot be put on an 8-bit base on a CPU",
            help="write quantization: nf4, or leave use_dora out",
            code="MR479",
        )


@contextmanager
def _own_randomness(model: LanguageModel, name: str) -> Iterator[None]:
    """Draw an adapter's first weights from the run's seed and its name, whatever was drawn before."""
    digest = hashlib.sha256(f"{getattr(model, 'seed', 0)}:{name}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int.from_bytes(digest[:7]))
        yield
