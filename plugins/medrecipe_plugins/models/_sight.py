"""Whom each token of a pack sees, in a few numbers a token, and which blocks of tokens see each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from medrecipe_plugins.models._packs import Stretch

BLOCK = 128
"""Tokens of a block: what kernels compute or leave out at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A token sees those of its own stretch and of the one under it, up to itself and within a window.

    All are integers, (tokens,).
    """

    own: torch.Tensor
    """Number of a token's stretch: it never falls from one place to the next."""
    under: torch.Tensor
    """Number of the stretch that it goes on from; its own where there is none."""
    positions: torch.Tensor
    """Where a token stands in its sample."""
    first: torch.Tensor
    """The first position that a token sees."""

    def blocks(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return which blocks of keys are seen in part by a block of queries, which wholly: (blocks, blocks).

        One that a window leaves nothing of may count as seen in part: that costs its time and nothing else.
        """
        count = -(-len(self.own) // BLOCK)
        place = torch.arange(len(self.own), device=self.own.device) // BLOCK
        held = self._counted(place, self.own, count)
        looked_at = held + self._counted(place, self.under, count, self.under != self.own)
        pairs = looked_at @ held.T  # of a query and a key before it, but for windows
        row = torch.arange(count, device=self.own.device)
        before, itself = row[:, None] > row, row[:, None] == row
        near, all_near = self._within(place, count)
        whole = before & (pairs == BLOCK * BLOCK) & all_near
        return (before & (pairs > 0) & near & ~whole) | itself, whole

    def _counted(
        self, place: torch.Tensor, stretch: torch.Tensor, count: int, which: torch.Tensor | None = None
    ) -> torch.Tensor:
        """How many tokens of each block are of each stretch, or go on from it: (blocks, stretches)."""
        ones = torch.ones(len(place), device=place.device) if which is None else which.float()
        found = torch.zeros(count, int(self.own[-1]) + 1, device=place.device)
        return found.index_put_((place, stretch), ones, accumulate=True)

    def _within(self, place: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Whether some, and whether all keys of a block may be in the windows of a block of queries."""

        def least(x: torch.Tensor, how: str) -> torch.Tensor:
            return x.new_zeros(count).scatter_reduce_(0, place, x, how, include_self=False)

        near = least(self.positions, "amax") >= least(self.first, "amin")[:, None]
        return near, least(self.positions, "amin") >= least(self.first, "amax")[:, None]


def sight_of(stretches: Sequence[Stretch], window: int | None, device: torch.device | str) -> Sight:
    """Return whom the tokens of a pack see.

    Args:
        stretches: all of the pack.
        window: how many keys a query sees at most, its own included; None for all.
        device: where the pack is.
    """
    lengths, position, under = torch.tensor(
        [(s.length, s.position, s.under) for s in stretches], device=device
    ).unbind(1)
    own = torch.arange(len(stretches), device=device).repeat_interleave(lengths)
    begins = lengths.cumsum(0) - lengths
    positions = torch.arange(len(own), device=device) + (position - begins)[own]
    first = torch.zeros_like(positions) if window is None else (positions - window + 1).clamp_(min=0)
    return Sight(own, under[own], positions, first)
