"""Samples without padding: their tokens one after another, what they share once, and who attends to whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from medrecipe_plugins.models._prefixes import Group, groups_of
from pipeline_dsl.api import Prepared

_LIKE = 0.85
"""Share of the longest sequence of one attention call that the others have at least: the rest is padding."""


@dataclass(slots=True, eq=False)
class Call:
    """One call of attention: sequences of like length, each of which sees itself and what it shares.

    Shorter sequences are filled up at their ends, which nobody sees and of which nothing is kept.
    """

    queries: torch.Tensor
    """Places in the pack, (sequences, queries)."""
    keys: torch.Tensor
    """Places in the pack, (sequences, keys); the same as ``queries`` where nothing is shared."""
    shared: int
    """Keys that stand before the first query."""
    _masks: dict[int | None, torch.Tensor | None] = field(default_factory=dict)
    _biases: dict[int | None, torch.Tensor] = field(default_factory=dict)

    def mask(self, window: int | None) -> torch.Tensor | None:
        """Return which keys a query sees, (queries, keys); None: itself and all before it.

        Args:
            window: how many keys a query sees at most, its own included; None for all.
        """
        if window not in self._masks:
            plain = not self.shared and (window is None or window >= self.keys.shape[1])
            self._masks[window] = None if plain else self._seen(window)
        return self._masks[window]

    def bias(self, window: int | None) -> torch.Tensor:
        """Return the same as what is added to scores, in float32: 0 or -inf, (queries, keys)."""
        if window not in self._biases:
            unseen = ~self._seen(window)
            self._biases[window] = torch.zeros(unseen.shape, device=unseen.device).masked_fill_(
                unseen, -torch.inf
            )
        return self._biases[window]

    def _seen(self, window: int | None) -> torch.Tensor:
        device = self.keys.device
        distance = (
            self.shared
            + torch.arange(self.queries.shape[1], device=device)[:, None]
            - torch.arange(self.keys.shape[1], device=device)
        )
        seen = distance >= 0
        return seen if window is None else seen & (distance < window)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Tokens that follow each other in a sample: all of it, what it shares with others, or the rest of it."""

    length: int
    position: int
    """Of its first token in the sample."""
    under: int
    """Number of the stretch that it goes on from, which is shared; its own where it begins a sample."""


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """All attention of a pack."""

    calls: tuple[Call, ...]
    stretches: tuple[Stretch, ...]
    """The same, token by token: all of the pack in the order of its places."""
    order: torch.Tensor
    """For each place of the pack, where its output is in those of all calls one after another."""
    needed: torch.Tensor
    """Places whose outputs predict labels, each once and in their order."""
    masks: dict[int | None, Any] = field(default_factory=dict)
    """What a way to attend that has masks of its own keeps of a pack, by window."""


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """Samples that are computed at once, (1, tokens)."""

    ids: torch.Tensor
    positions: torch.Tensor
    attention: Calls
    places: torch.Tensor
    """Where labels are predicted, (labels,); a shared place stands once for each sample."""
    labels: torch.Tensor
    samples: tuple[Prepared, ...]

    @property
    def label_tokens(self) -> int:
        """How many tokens are learned."""
        return int(self.labels.numel())


def packs_of(samples: Sequence[Prepared], budget: int, device: str, *, share: bool) -> Iterator[Pack]:
    """Yield packs of at most ``budget`` tokens, or of one sample; what shares a beginning is together."""
    groups = groups_of([sample.ids for sample in samples], share=share)
    for taken in _cut(groups, samples, budget):
        yield _Layout(samples, taken).pack(device)


def _cut(groups: Sequence[Group], samples: Sequence[Prepared], budget: int) -> Iterator[list[Group]]:
    """Fill packs with groups; one that is too large is split, and shares within each of its parts."""
    taken: list[Group] = []
    used = 0
    for group in groups:
        for part in _parts(group, samples, budget):
            size = _size(part, samples)
            if taken and used + size > budget:
                yield taken
                taken, used = [], 0
            taken.append(part)
            used += size
    if taken:
        yield taken


def _size(group: Group, samples: Sequence[Prepared]) -> int:
    return group.shared + sum(len(samples[place].ids) - group.shared for place in group.members)


def _parts(group: Group, samples: Sequence[Prepared], budget: int) -> Iterator[Group]:
    members: list[int] = []
    used = group.shared
    for place in group.members:
        own = len(samples[place].ids) - group.shared
        if members and used + own > budget:
            yield _part(group, members)
            members, used = [], group.shared
        members.append(place)
        used += own
    yield _part(group, members)


def _part(group: Group, members: Sequence[int]) -> Group:
    return Group(tuple(members), group.shared if len(members) > 1 else 0)


class _Layout:
    """Lays groups out one after another: what they share first, then the rest of each member."""

    def __init__(self, samples: Sequence[Prepared], groups: Sequence[Group]) -> None:
        self._samples = samples
        self._ids: list[int] = []
        self._positions: list[int] = []
        self._places: list[int] = []
        self._labels: list[int] = []
        self._plain: list[range] = []
        self._branches: list[tuple[range, list[range]]] = []
        self._stretches: list[Stretch] = []
        self._order = [place for group in groups for place in group.members]
        for group in groups:
            self._add(group)

    def pack(self, device: str) -> Pack:
        """Return the pack on a device."""

        def tensor(values: Sequence[int]) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.long, device=device)

        return Pack(
            ids=tensor(self._ids)[None],
            positions=tensor(self._positions)[None],
            attention=self._attention(device),
            places=tensor(self._places),
            labels=tensor(self._labels),
            samples=tuple(self._samples[place] for place in self._order),
        )

    def _add(self, group: Group) -> None:
        first = self._samples[group.members[0]].ids
        trunk = self._put(first[: group.shared], 0)
        under = len(self._stretches) - 1 if group.shared else None
        branches = []
        for place in group.members:
            sample = self._samples[place]
            branch = self._put(sample.ids[group.shared :], group.shared, under)
            branches.append(branch)
            for at in range(sample.start, len(sample.ids)):
                before = at - 1
                where = (
                    trunk.start + before if before < group.shared else branch.start + before - group.shared
                )
                self._places.append(where)
                self._labels.append(sample.ids[at])
        if group.shared:
            self._plain.append(trunk)
            self._branches.append((trunk, branches))
        else:
            self._plain += branches

    def _put(self, ids: Sequence[int], position: int, under: int | None = None) -> range:
        begin = len(self._ids)
        if ids:
            number = len(self._stretches)
            self._stretches.append(Stretch(len(ids), position, number if under is None else under))
        self._ids += ids
        self._positions += range(position, position + len(ids))
        return range(begin, len(self._ids))

    def _attention(self, device: str) -> Calls:
        made = [_call([], bucket) for bucket in _buckets(self._plain)]
        made += [_call(trunk, bucket) for trunk, branches in self._branches for bucket in _buckets(branches)]
        order = [0] * len(self._ids)
        offset = 0
        for _, sequences, width in made:
            for sequence in sequences:
                for at, place in enumerate(sequence):
                    order[place] = offset + at
                offset += width
        calls = tuple(_on_device(trunk, sequences, width, device) for trunk, sequences, width in made)
        needed = sorted(set(self._places))
        return Calls(
            calls=calls,
            stretches=tuple(self._stretches),
            order=torch.tensor(order, device=device),
            needed=torch.tensor(needed, device=device),
        )


_Made = tuple[Sequence[int], list[range], int]


def _call(trunk: Sequence[int], sequences: list[range]) -> _Made:
    return trunk, sequences, len(sequences[0])


def _on_device(trunk: Sequence[int], sequences: list[range], width: int, device: str) -> Call:
    filled = [[*sequence, *[sequence[-1]] * (width - len(sequence))] for sequence in sequences]
    queries = torch.tensor(filled, device=device)
    if not trunk:
        return Call(queries, queries, 0)
    before = torch.tensor(list(trunk), device=device).expand(len(sequences), -1)
    return Call(queries, torch.cat([before, queries], dim=1), len(trunk))


def _buckets(sequences: Sequence[range]) -> Iterator[list[range]]:
    """Group sequences of like length, longest first."""
    taken: list[range] = []
    for sequence in sorted(sequences, key=lambda s: (-len(s), s.start)):
        if taken and len(sequence) < _LIKE * len(taken[0]):
            yield taken
            taken = []
        taken.append(sequence)
    if taken:
        yield taken
