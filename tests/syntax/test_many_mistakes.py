"""Independent mistakes of many kinds in one good text: each is found once, at its line, and nothing else is."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GOOD = """\
recipe: medgemma_korean
seed: 42
tags = [korean, medical]
model:
    use: causal_lm
    name: google/medgemma-4b-it
    dtype: bfloat16
adapters:
    korean:
        use: lora
        r: 64
        target_modules = [q_proj, k_proj]
    terms: {use: lora, r: 16}
data:
    wiki:
        use: jsonl
        path: data/wiki.jsonl
    words:
        use: csv
tasks |task, data, limit|
    fluency, wiki, 200
    "recall, exact", words, null
prompt: "say {question}"
metrics:
    exact match
    perplexity
    chrf
steps:
    - name: first
      limit: 5
    - second
    - [1, 2]
train:
    epochs: 3
    learning_rate: 2e-4
    betas: [0.9, 0.999]
    note: as before
    device: cuda:0
end: true
"""
PLANTS = [
    ("recipe: medgemma_korean", "recipe medgemma_korean", "MR120"),
    ("seed: 42", "seed: +42", "MR150"),
    ("seed: 42", "seed == 42", "MR129"),
    ("tags = [korean, medical]", "tags = [korean, medical", "MR140"),
    ("tags = [korean, medical]", "tags = [korean medical, [a]b]", "MR142"),
    ("tags = [korean, medical]", "tags = [korean,, medical]", "MR143"),
    ("tags = [korean, medical]", "tags = korean, medical", "MR144"),
    ("model:", "model", "MR120"),
    ("model:", ": model", "MR121"),
    ("    use: causal_lm", '    use: "causal_lm', "MR130"),
    ("    use: causal_lm", "    use: causal_lm]", "MR141"),
    ("    dtype: bfloat16", '    dtype: "bf" 16', "MR133"),
    ("    dtype: bfloat16", "    d type: bfloat16", "MR122"),
    ("        r: 64", "        r: 64.", "MR150"),
    ("        r: 64", "        use: 64", "MR123"),
    ("        r: 64", "        r: 9223372036854775808", "MR151"),
    ("        r: 64", "\t\tr: 64", "MR110"),
    ("        target_modules = [q_proj, k_proj]", "        target_modules = [q_proj, k_proj}", "MR141"),
    ("    terms: {use: lora, r: 16}", "    terms: {use: lora, use: x}", "MR123"),
    ("    terms: {use: lora, r: 16}", "    terms: {use: lora", "MR140"),
    ("    terms: {use: lora, r: 16}", "    terms: {use, r: 16}", "MR143"),
    ("    terms: {use: lora, r: 16}", "    terms {use: lora, r: 16}", "MR127"),
    ("        path: data/wiki.jsonl", "          path: data/wiki.jsonl", "MR112"),
    ("        path: data/wiki.jsonl", "      path: data/wiki.jsonl", "MR111"),
    ("        path: data/wiki.jsonl", "        path: l\u043era", "MR171"),
    ("        use: csv", "        use: c\u200bsv", "MR170"),
    ("tasks |task, data, limit|", "tasks |task, data, task|", "MR162"),
    ("tasks |task, data, limit|", "tasks |task, data, limit", "MR163"),
    ("    fluency, wiki, 200", "    fluency, wiki", "MR160"),
    ("    fluency, wiki, 200", "    fluency, wiki, 200, more", "MR161"),
    ("    fluency, wiki, 200", "    - fluency, wiki, 200", "MR128"),
    ("    fluency, wiki, 200", "    fluency, key: x, 200", "MR146"),
    ('    "recall, exact", words, null', '    "recall, exact, words, null', "MR130"),
    ('prompt: "say {question}"', 'prompt: """say {question}"""', "MR132"),
    ('prompt: "say {question}"', "prompt: say {question}", "MR145"),
    ('prompt: "say {question}"', 'prompt: say "hello"', "MR135"),
    ('prompt: "say {question}"', "prompt: |\n    one, two\n    three", "MR134"),
    ('prompt: "say {question}"', 'prompt: """\n    one, two', "MR131"),
    ("    perplexity", "    name: perplexity", "MR125"),
    ("    perplexity", "    - perplexity", "MR128"),
    ("    - second", "    second", "MR124"),
    ("    - second", "    - - second", "MR128"),
    ("      limit: 5", "      limit 5", "MR120"),
    ("    epochs: 3", "    epochs: - 3", "MR128"),
    ("    learning_rate: 2e-4", "    learning_rate: 1e400", "MR152"),
    ("    note: as before", "    as before and after", "MR120"),
    ("    note: as before", "    as", "MR124"),
    ("    note: as before", "    note: a\x01b", "MR172"),
    ("    device: cuda:0", "    device: \u3000cuda:0", "MR173"),
    ("end: true", "[end]", "MR126"),
    ("end: true", "end: [", "MR140"),
    ("end: true", 'end: "', "MR130"),
]  # fmt: skip
SETTINGS = settings(
    max_examples=120, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def planted(plants: list[tuple[str, str, str]]) -> tuple[str, list[tuple[str, int]]]:
    """The text with some of its lines replaced, and the codes and lines of what has to be found in it."""
    changes = {old: (new, code) for old, new, code in plants}
    lines: list[str] = []
    expected = []
    for line in GOOD.splitlines():
        new, code = changes.get(line, (line, ""))
        if code:
            expected.append((code, len(lines) + 1))
        lines += new.split("\n")
    return "\n".join(lines) + "\n", expected


def independent(plants: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """At most one mistake a line, and none that hides another.

    Without its header, nobody can say how wide a row has to be; a bracket that is never closed and one that
    was never opened make a pair, and so do two quotes that are never closed.
    """
    chosen = list({plant[0]: plant for plant in plants}.values())
    codes = {code for _, _, code in chosen}
    hidden = {"MR160", "MR161"} if "MR163" in codes else set()
    stray = {"    use: causal_lm]"} if "MR140" in codes else set()
    stray |= set([new for _, new, code in chosen if code == "MR130"][1:])
    return [plant for plant in chosen if plant[2] not in hidden and plant[1] not in stray]


def found(text: str, read) -> list[tuple[str, int]]:
    return [(d.code, d.span.line) for d in read(text).diagnostics]


def test_the_text_without_mistakes_is_fine(read) -> None:
    assert found(GOOD, read) == []
    assert {old for old, _, _ in PLANTS} <= set(GOOD.splitlines())


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant[1].strip())
def test_one_mistake_is_found_once(plant: tuple[str, str, str], read) -> None:
    text, expected = planted([plant])
    assert found(text, read) == expected


def test_any_two_neighbouring_mistakes_are_found_once_each(read) -> None:
    wrong = {}
    near = [(a, b) for n, a in enumerate(PLANTS) for b in PLANTS[n + 1 : n + 9]]
    for pair in near:
        text, expected = planted(independent(list(pair)))
        if found(text, read) != expected:
            wrong[pair[0][1], pair[1][1]] = found(text, read)
    assert wrong == {}


@given(st.integers(0, 2**32).map(Random), st.integers(3, 20))
@SETTINGS
def test_many_mistakes_are_found_once_each(read, chance: Random, count: int) -> None:
    text, expected = planted(independent(chance.sample(PLANTS, count)))
    assert found(text, read) == expected, text
