"""The guard rails that every sample has to pass: what is wrong is counted over all, and raised once."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline_dsl.api import DataError, GuardError

Overflow = Literal["error", "drop", "truncate_prompt"]
Loss = Literal["completion", "all"]
_NAMED = 3
"""Row ids that a message names at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a model bears and a recipe asks for."""

    max_length: int
    overflow: Overflow
    loss: Loss
    begin: int | None
    """Id of the beginning-of-sequence mark."""
    ends: frozenset[int]
    """Ids that count as end marks."""
    rows: int | None
    """Rows of the input embedding."""
    positions: int | None
    """Longest sequence that the model was made for."""


@dataclass(slots=True)
class _Rows:
    """How many samples a fault was seen in, and the first of them."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, row: str) -> None:
        self.count += 1
        if len(self.names) < _NAMED:
            self.names.append(row)

    def __str__(self) -> str:
        """The first few row ids, never their text."""
        more = f" and {self.count - _NAMED} more" if self.count > _NAMED else ""
        return ", ".join(row or "?" for row in self.names) + more


class Faults:
    """What is wrong with the samples seen so far, by guard; of as many samples as there may be."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._longest = 0
        self._too_long = _Rows()
        self._past_positions = _Rows()
        self._unsupervised = _Rows()
        self._endless = _Rows()
        self._begun_twice = _Rows()
        self._past_rows = _Rows()

    def has_foreign(self, sequences: Sequence[Sequence[int]]) -> bool:
        """Whether any of these has an id without a row in the embeddings."""
        import torch

        flat = bytearray().join(ids if isinstance(ids, array) else array("i", ids) for ids in sequences)
        if self._limits.rows is None or not flat:
            return False
        lowest, highest = torch.frombuffer(flat, dtype=torch.int32).aminmax()
        return int(lowest) < 0 or int(highest) >= self._limits.rows

    def look(self, row: str, ids: Sequence[int], prompt: int, *, foreign: bool) -> None:
        """Note what is wrong with one encoded sample, if ``foreign`` its ids too."""
        limits = self._limits
        ended = bool(ids) and ids[-1] in limits.ends
        if len(ids) - max(1, prompt) - int(ended) <= 0:
            self._unsupervised.add(row)
        elif not ended:
            self._endless.add(row)
        if limits.begin is not None and len(ids) > 1 and ids[0] == ids[1] == limits.begin:
            self._begun_twice.add(row)
        if foreign and limits.rows is not None and ids and not 0 <= min(ids) <= max(ids) < limits.rows:
            self._past_rows.add(row)

    def measure(self, row: str, length: int) -> None:
        """Note whether what is left of a sample is too long."""
        limits = self._limits
        if length > limits.max_length:
            self._too_long.add(row)
            self._longest = max(self._longest, length)
        elif limits.positions is not None and length > limits.positions:
            self._past_positions.add(row)

    def raise_worst(self, seen: int) -> None:
        """Raise for the guard that says most about the cause, if any does not hold."""
        for rows, code, fault, help_ in self._guards(seen):
            if rows.count:
                message = f"{rows.count} of {seen} samples {fault}"
                raise GuardError(message, code=code, help=help_, place=str(rows))
        if self._too_long.count:
            self._raise_too_long(seen)

    def _guards(self, seen: int) -> Iterator[tuple[_Rows, str, str, str]]:
        share = 100 * (1 - self._endless.count / max(1, seen))
        rows, positions = self._limits.rows, self._limits.positions
        yield (
            self._past_rows,
            "MR494",
            f"have token ids past the model's {rows} embedding rows",
            ("the tokenizer belongs to another model, or the embedding was not resized"),
        )
        yield (
            self._past_positions,
            "MR496",
            f"are longer than the model's {positions} positions",
            (f"set max_length: {positions} or less"),
        )
        yield (
            self._begun_twice,
            "MR492",
            "begin with two beginning-of-sequence marks",
            ("the template or the chat template writes a mark that the tokenizer adds anyway"),
        )
        yield self._unsupervised, "MR493", "have no token to learn", "their completion is empty"
        yield (
            self._endless,
            "MR491",
            (f"do not end with an end mark; {share:.1f} % of the samples do, 100 % have to"),
            "without it the model never learns to stop",
        )

    def _raise_too_long(self, seen: int) -> None:
        limits, rows, longest = self._limits, self._too_long, self._longest
        rest = " after their prompts were cut" if limits.overflow == "truncate_prompt" else ""
        message = f"{rows.count} of {seen} samples are longer than {limits.max_length} tokens{rest}"
        ways = "drop" if rest else "drop or truncate_prompt"
        help_ = f"the longest has {longest}: set max_length: {longest}, or overflow: {ways}"
        raise DataError(message, code="MR540", help=help_, place=str(rows))
