"""Several stacks on one base: every row of a batch uses its own.

PEFT's own mixed batches (``adapter_names``) take one adapter a row and walk through the adapters one by one,
with hooks put on every module before each forward. Here a stack is one update a module whatever the number of
its layers, and all stacks are one product: the factors of all of them stand side by side, and a row's gate
leaves only its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from medrecipe_plugins.adapters._factors import Factors
from pipeline_dsl.api import BASE


@dataclass(slots=True)
class Selection:
    """Which stack each row of the next forward uses."""

    only: str | None = BASE
    """The stack of all rows, where they have one."""
    rows: torch.Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    """Index of each row's stack among the names, where they have several."""


class Bank:
    """The stacks of a model. See ``models._language_model.Bank``.

    Args:
        module: the base, whose linear layers are replaced in place.
        stacks: the updates of each stack, by its name.
        with_base: whether rows may use the base alone.
    """

    def __init__(
        self, module: torch.nn.Module, stacks: Mapping[str, Mapping[str, Factors]], *, with_base: bool
    ) -> None:
        self.names: Sequence[str] = (*((BASE,) if with_base else ()), *stacks)
        self._selection = Selection()
        self._device = next(module.parameters()).device
        paths = sorted({path for factors in stacks.values() for path in factors})
        for path in paths:
            updates = {name: factors[path] for name, factors in stacks.items() if path in factors}
            parent, _, leaf = path.rpartition(".")
            base: Any = module.get_submodule(path)
            banked = BankedLinear(base, updates, self.names, self._selection)
            setattr(module.get_submodule(parent), leaf, banked)

    def select(self, stacks: Sequence[str]) -> None:
        """Say which stack each row of the next forward uses."""
        chosen = set(stacks)
        self._selection.only = next(iter(chosen)) if len(chosen) == 1 else None
        if len(chosen) > 1:
            numbers = [self.names.index(name) for name in stacks]
            self._selection.rows = torch.tensor(numbers, device=self._device)


class BankedLinear(torch.nn.Module):  # type: ignore[misc]  # torch is Any to mypy here
    """A linear layer with the updates of several stacks.

    Args:
        base: the layer as it is, of any number format.
        updates: those of the stacks that have one here.
        names: of all stacks, in the order in which ``Selection.rows`` counts them.
        selection: shared with all layers of the bank.
    """

    def __init__(
        self,
        base: torch.nn.Module,
        updates: Mapping[str, Factors],
        names: Sequence[str],
        selection: Selection,
    ) -> None:
        super().__init__()
        self.base_layer = base
        self._selection = selection
        self._spans: dict[str, slice] = {}
        ranks = [update.down.shape[0] for update in updates.values()]
        first = next(iter(updates.values())).down
        gates = torch.zeros(len(names), sum(ranks), device=first.device)
        start = 0
        for name, rank in zip(updates, ranks, strict=True):
            self._spans[name] = slice(start, start + rank)
            gates[names.index(name), start : start + rank] = 1.0
            start += rank
        self.register_buffer("_down", torch.cat([u.down for u in updates.values()]), persistent=False)
        self.register_buffer("_up", torch.cat([u.up for u in updates.values()], dim=1), persistent=False)
        self.register_buffer("_gates", gates, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output (rows, tokens, outputs), each row with the update of its own stack.

        Updates are computed and added in fp32 and rounded once, as PEFT does it.
        """
        result: torch.Tensor = self.base_layer(x)
        update = self._update(x)
        return result if update is None else (result + update).to(result.dtype)

    def _update(self, x: torch.Tensor) -> torch.Tensor | None:
        chosen = self._selection
        down: Any = self._down
        up: Any = self._up
        gates: Any = self._gates
        if chosen.only is None:
            inner = x.float() @ down.T * gates[chosen.rows][:, None, :]
            return inner @ up.T
        span = self._spans.get(chosen.only)
        return None if span is None else (x.float() @ down[span].T) @ up[:, span].T
