"""Samples in chunks, each encoded while the one before it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline_dsl.api import LanguageModel, Sample

Encoded = tuple[Sequence[int], int]
"""Ids of a sample and the length of its prompt part."""
_SAMPLES = 1024
_CHARACTERS = 1 << 19
"""Of the texts of a chunk, roughly: a tokenizer needs some hundred bytes for each of their tokens."""


def chunks_of(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Yield the samples in lists of bounded length and text."""
    chunk: list[Sample] = []
    characters = 0
    for sample in samples:
        chunk.append(sample)
        characters += len(sample.prompt) + len(sample.completion)
        characters += sum(len(message.content) for message in sample.messages)
        if len(chunk) >= _SAMPLES or characters >= _CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def encoded_ahead(
    model: LanguageModel, chunks: Iterable[Sequence[Sample]]
) -> Iterator[tuple[Sequence[Sample], Sequence[Encoded]]]:
    """Yield each chunk with what its samples were encoded to, in order.

    A model that encodes many samples at once (``encode_all``) works on the next chunk meanwhile: it lets
    other Python code run while it does. One that does not is asked sample by sample.
    """
    encode: Callable[[Sequence[Sample]], Sequence[Encoded]] | None = getattr(model, "encode_all", None)
    if encode is None:
        yield from ((chunk, [model.encode(sample) for sample in chunk]) for chunk in chunks)
        return
    with ThreadPoolExecutor(1, "encoding") as beside:
        before = None
        for chunk in chunks:
            ahead = beside.submit(encode, chunk)
            if before is not None:
                yield before[0], before[1].result()
            before = chunk, ahead
        if before is not None:
            yield before[0], before[1].result()
