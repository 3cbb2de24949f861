"""Samples of three kinds as token ids: questions with five options, plain text, translations."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_step.shapes import MAX_LENGTH, spread

Ids = tuple[list[int], int]
"""Token ids with begin and end mark, and the place of the first one that is learned."""
FILES = {
    "mcq": ["kormedmcqa/mcq.jsonl"],
    "text": ["ud_korean_plain_text/sentences.jsonl", "ud_korean_plain_text/kaist_documents.jsonl"],
    "translation": ["jhe_ko_en_parallel/news_test.jsonl", "jhe_ko_en_parallel/news_dev.jsonl"],
}
_GENERATED = {"mcq": (90, 260, 4), "text": (8, 300, 0), "translation": (30, 120, 0)}
"""Least and most tokens, and how many are learned (0: all, or a half of a translation)."""


def pairs_of(kind: str, data: Path) -> list[tuple[str, str]]:
    """Prompts and completions of public data, as the templates of medrecipe write them; empty without it."""
    paths = [data / name for name in FILES[kind]]
    if not all(path.is_file() for path in paths):
        return []
    template = _template(kind)
    pairs = []
    for path in paths:
        for number, line in enumerate(path.read_text("utf-8").splitlines()):
            pairs += [(s.prompt, s.completion) for s in template.render(json.loads(line), f"row:{number}")]
    random.Random(0).shuffle(pairs)
    return pairs


def _template(kind: str) -> Any:
    from medrecipe_plugins.templates import mcq, pairs, plain_text
    from pipeline_dsl.api import NoOptions

    if kind == "mcq":
        return mcq.Mcq(mcq.Options(repeated_options="allow"))
    if kind == "translation":
        return pairs._translate(pairs.Options())
    return plain_text.PlainText(NoOptions())


def encoded(pairs: list[tuple[str, str]], tokenizer: Any, shape: str) -> Iterator[Ids]:
    """Token ids of those that are not too long."""
    factor = spread(shape)
    for prompt, completion in pairs:
        head = [tokenizer.bos_token_id, *tokenizer(prompt, add_special_tokens=False).input_ids]
        tail = [*tokenizer(completion, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        if len(head) + len(tail) <= MAX_LENGTH:
            yield [_spread(i, factor) for i in head + tail], len(head)


def generated(kind: str, count: int, vocabulary: int) -> Iterator[Ids]:
    """Random ids of about the lengths that the public data have."""
    draw = random.Random(0)
    least, most, learned = _GENERATED[kind]
    for _ in range(count):
        length = draw.randint(least, most)
        ids = [2, *(draw.randrange(3, vocabulary) for _ in range(length - 2)), 1]
        start = length - learned if learned else {"text": 1, "translation": length // 2}[kind]
        yield ids, start


def _spread(token: int, factor: int) -> int:
    return token if token < 3 else token * factor
