"""Several finished stacks on one base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medrecipe_plugins.adapters._bank import Bank
from medrecipe_plugins.adapters._factors import Factors, factors_of, not_factors
from medrecipe_plugins.adapters._lora import attach
from medrecipe_plugins.adapters._merge import merge
from pipeline_dsl.api import BASE, LanguageModel, ModelError, ModelIdentity, StackLayer

_EXACT = "float32"
Stacks = Mapping[str, Sequence[StackLayer]]


class Single:
    """One stack that all rows use, put on as it was in training. See ``models._language_model.Bank``."""

    def __init__(self, name: str) -> None:
        self.names: Sequence[str] = (name,)

    def select(self, stacks: Sequence[str]) -> None:
        """Nothing is to be chosen."""


def foundation(layers: Sequence[StackLayer], base: ModelIdentity) -> str:
    """Return what has to be done to a base before a finished stack is put on it; "" for nothing."""
    if any(not_factors(layer) for layer in layers):
        return f"alone: {_listed(layers)}"
    merged = [layer for layer in layers if layer.role == "merge"]
    return f"merge: {_listed(merged)}" if merged and base.dtype != _EXACT else ""


def attach_several(model: LanguageModel, stacks: Stacks) -> None:
    """Put stacks of one foundation on a freshly loaded model, each under its name."""
    handle: Any = model
    below = _only(foundation(layers, handle.identity) for layers in stacks.values())
    if below.startswith("alone"):
        ((name, layers),) = stacks.items()
        attach(model, layers)
        handle.bank = Single(name)
        return
    kept = dict(stacks)
    if below:
        first = next(iter(stacks.values()))
        handle.module, _ = merge(model, [layer for layer in first if layer.role == "merge"])
        kept = {name: [x for x in layers if x.role != "merge"] for name, layers in stacks.items()}
    factors: dict[str, dict[str, Factors]] = {
        name: factors_of(model, layers) if layers else {} for name, layers in kept.items()
    }
    handle.module.requires_grad_(requires_grad=False)
    handle.bank = Bank(handle.module, factors, with_base=not below)


def _listed(layers: Sequence[StackLayer]) -> str:
    return ", ".join(f"{layer.name} in {layer.folder}" for layer in layers)


def _only(foundations: Iterable[str]) -> str:
    found = set(foundations) or {BASE}
    if len(found) > 1:
        raise ModelError(
            "these stacks cannot share a base: what is merged below them differs, or one is of DoRA or has "
            "rows of added tokens",
            help="use them one by one",
            code="MR469",
        )
    return found.pop()
