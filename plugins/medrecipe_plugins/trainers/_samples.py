"""Samples as token ids, and the guard rails that every sample has to pass."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline_dsl.api import DataError, GuardError, LanguageModel, Preparation, Prepared, Sample

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


def limits_of(model: LanguageModel, max_length: int, overflow: Overflow, loss: Loss) -> Limits:
    """Read a model's limits off its module, its configuration and its tokenizer."""
    config: Any = getattr(model.module, "config", None)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    marks = [model.tokenizer.eos_token_id, *getattr(model, "ends", ())]
    for holder in (config, text, getattr(model.module, "generation_config", None)):
        named = getattr(holder, "eos_token_id", None)
        marks += named if isinstance(named, list) else [named]
    return Limits(
        max_length=max_length,
        overflow=overflow,
        loss=loss,
        begin=model.tokenizer.bos_token_id,
        ends=frozenset(mark for mark in marks if mark is not None),
        rows=_embedding_rows(model.module),
        positions=getattr(text, "max_position_embeddings", None),
    )


def _embedding_rows(module: Any) -> int | None:
    find = getattr(module, "get_input_embeddings", None)
    weight = getattr(find(), "weight", None) if find else None
    return None if weight is None else int(weight.shape[0])


def prepare(model: LanguageModel, samples: Sequence[Sample], limits: Limits) -> Preparation:
    """Encode samples and hold them to the guard rails.

    Raises:
        GuardError: a guard rail does not hold for at least one sample; names rows and counts.
        DataError: samples are too long and the policy is ``error``.
    """
    faults = _Faults(limits)
    rows: list[Prepared | None] = []
    shortened = longest = 0
    for sample in samples:
        ids, prompt = model.encode(sample)
        faults.look(sample.id, ids, prompt)
        longest = max(longest, len(ids))
        excess = len(ids) - limits.max_length
        if excess > 0 and limits.overflow == "drop":
            rows.append(None)
            continue
        if excess > 0 and limits.overflow == "truncate_prompt":
            shortened += 1
            ids, prompt = _shorten(ids, prompt, excess, limits.begin)
        faults.measure(sample.id, len(ids))
        rows.append(Prepared(sample.id, array("i", ids), 1 if limits.loss == "all" else max(1, prompt)))
    faults.raise_worst(len(samples))
    return Preparation(rows=rows, dropped=rows.count(None), shortened=shortened, longest=longest)


def _shorten(ids: list[int], prompt: int, excess: int, begin: int | None) -> tuple[list[int], int]:
    """Cut the oldest tokens of the prompt, after a beginning mark; as many as are needed and there."""
    head = 1 if prompt and ids[0] == begin else 0
    cut = min(excess, prompt - head)
    return ids[:head] + ids[head + cut :], prompt - cut


class _Faults:
    """What is wrong with the samples seen so far, by guard."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._too_long: list[tuple[str, int]] = []
        self._past_positions: list[str] = []
        self._unsupervised: list[str] = []
        self._endless: list[str] = []
        self._begun_twice: list[str] = []
        self._past_rows: list[str] = []

    def look(self, row: str, ids: list[int], prompt: int) -> None:
        """Note what is wrong with one encoded sample."""
        limits = self._limits
        ended = bool(ids) and ids[-1] in limits.ends
        if len(ids) - max(1, prompt) - int(ended) <= 0:
            self._unsupervised.append(row)
        elif not ended:
            self._endless.append(row)
        if limits.begin is not None and ids[:2] == [limits.begin] * 2:
            self._begun_twice.append(row)
        if limits.rows is not None and ids and not 0 <= min(ids) <= max(ids) < limits.rows:
            self._past_rows.append(row)

    def measure(self, row: str, length: int) -> None:
        """Note whether what is left of a sample is too long."""
        limits = self._limits
        if length > limits.max_length:
            self._too_long.append((row, length))
        elif limits.positions is not None and length > limits.positions:
            self._past_positions.append(row)

    def raise_worst(self, seen: int) -> None:
        """Raise for the guard that says most about the cause, if any does not hold."""
        for rows, code, fault, help_ in self._guards(seen):
            if rows:
                message = f"{len(rows)} of {seen} samples {fault}"
                raise GuardError(message, code=code, help=help_, place=_named(rows))
        if self._too_long:
            self._raise_too_long(seen)

    def _guards(self, seen: int) -> Iterator[tuple[list[str], str, str, str]]:
        share = 100 * (1 - len(self._endless) / max(1, seen))
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
        limits, rows = self._limits, [row for row, _ in self._too_long]
        longest = max(length for _, length in self._too_long)
        rest = " after their prompts were cut" if limits.overflow == "truncate_prompt" else ""
        message = f"{len(rows)} of {seen} samples are longer than {limits.max_length} tokens{rest}"
        ways = "drop" if rest else "drop or truncate_prompt"
        help_ = f"the longest has {longest}: set max_length: {longest}, or overflow: {ways}"
        raise DataError(message, code="MR540", help=help_, place=_named(rows))


def _named(rows: list[str]) -> str:
    """The first few row ids, never their text."""
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return ", ".join(row or "?" for row in rows[:_NAMED]) + more
