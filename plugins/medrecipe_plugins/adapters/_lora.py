"""Attach a stack: merge what is to be merged, put on the rest, and keep what saving will need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medrecipe_plugins.adapters import _state
from medrecipe_plugins.adapters._attached import Attached, frozen_digest
from medrecipe_plugins.adapters._merge import merge
from medrecipe_plugins.adapters._stack import put_on
from medrecipe_plugins.models._quantisation import real_size
from pipeline_dsl.api import LanguageModel, MergeProof, ModelError, StackLayer, StackReport


def attach(model: LanguageModel, layers: Sequence[StackLayer]) -> StackReport:
    """Put a stack on a freshly loaded model; ``model.module`` is the model with adapters afterwards."""
    _refuse_illegal(model, layers)
    merged = [layer for layer in layers if layer.role == "merge"]
    active = [layer for layer in layers if layer.role != "merge"]
    handle: Any = model
    proof = None
    if merged:
        handle.module, proof = merge(model, merged)
    names: dict[str, str] = {}
    if active:
        handle.module, names = put_on(model, model.module, active)
    else:
        handle.module.requires_grad_(requires_grad=False)
    handle.attached = Attached(
        names=names,
        first_weights={
            layer.name: _weights(model, names[layer.name]) for layer in active if layer.role == "train"
        },
        frozen=frozen_digest(model.module),
    )
    handle.fresh_tokens = _fresh_tokens(model, active)
    return _report(model, proof)


def _report(model: LanguageModel, proof: MergeProof | None) -> StackReport:
    parameters = list(model.module.named_parameters())
    trainable = [(name, real_size(p)) for name, p in parameters if p.requires_grad]
    return StackReport(
        trainable=tuple(name for name, _ in trainable),
        trainable_parameters=sum(n for _, n in trainable),
        total_parameters=sum(real_size(p) for _, p in parameters),
        merge=proof,
    )


def _weights(model: LanguageModel, name: str) -> dict[str, Any]:
    return {key: tensor.detach().cpu().clone() for key, tensor in _state.read(model.module, name).items()}


def _fresh_tokens(model: LanguageModel, layers: Sequence[StackLayer]) -> Mapping[int, str]:
    """Return the added tokens whose rows a new adapter trains."""
    new = any(layer.role == "train" and layer.adapter.options.train_new_tokens for layer in layers)
    return model.new_tokens if new else {}


def _refuse_illegal(model: LanguageModel, layers: Sequence[StackLayer]) -> None:
    """Raise ModelError for a stack that cannot be built: these are what a plan should have caught."""
    if getattr(model, "attached", None) is not None or hasattr(model.module, "peft_config"):
        raise ModelError("this model carries a stack already", help="load it afresh", code="MR465")
    names = [layer.name for layer in layers]
    if len(set(names)) < len(names):
        raise ModelError(f"a stack names an adapter twice: {', '.join(names)}", code="MR465")
    roles = [layer.role for layer in layers]
    if "merge" in roles[next((i for i, r in enumerate(roles) if r != "merge"), len(roles)) :]:
        raise ModelError(
            "an adapter can only be merged below all that stay active",
            help="put merge before freeze, continue and train",
            code="MR465",
        )
