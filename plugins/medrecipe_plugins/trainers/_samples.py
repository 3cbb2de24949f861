"""Samples as token ids, some at a time, held to the guard rails."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from medrecipe_plugins.trainers._encoded import Encoded, chunks_of, encoded_ahead
from medrecipe_plugins.trainers._guards import Faults, Limits, Loss, Overflow
from pipeline_dsl.api import LanguageModel, Preparation, Prepared, Sample


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
    parts = list(prepare_all(model, samples, limits))
    return Preparation(
        rows=[row for part in parts for row in part.rows],
        dropped=sum(part.dropped for part in parts),
        shortened=sum(part.shortened for part in parts),
        longest=max((part.longest for part in parts), default=0),
    )


def prepare_all(model: LanguageModel, samples: Iterable[Sample], limits: Limits) -> Iterator[Preparation]:
    """Prepare samples some at a time, in memory for those alone; what is wrong is raised after the last.

    Raises:
        GuardError: as ``prepare``, with the counts of all samples.
        DataError: as ``prepare``.
    """
    faults, seen = Faults(limits), 0
    for some, encoded in encoded_ahead(model, chunks_of(samples)):
        seen += len(some)
        yield _prepared(some, encoded, limits, faults)
    faults.raise_worst(seen)


def _prepared(
    samples: Sequence[Sample], encoded: Sequence[Encoded], limits: Limits, faults: Faults
) -> Preparation:
    rows: list[Prepared | None] = []
    shortened = longest = 0
    foreign = faults.has_foreign([ids for ids, _ in encoded])
    for sample, (given, given_prompt) in zip(samples, encoded, strict=True):
        ids, prompt = given, given_prompt
        faults.look(sample.id, ids, prompt, foreign=foreign)
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
    return Preparation(rows=rows, dropped=rows.count(None), shortened=shortened, longest=longest)


def _shorten(ids: Sequence[int], prompt: int, excess: int, begin: int | None) -> Encoded:
    """Cut the oldest tokens of the prompt, after a beginning mark; as many as are needed and there."""
    head = 1 if prompt and ids[0] == begin else 0
    cut = min(excess, prompt - head)
    return [*ids[:head], *ids[head + cut :]], prompt - cut
