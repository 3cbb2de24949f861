from __future__ import annotations

import pytest

from pipeline_dsl.syntax.nodes import plain

SIX = """\
recipe: x
seed 42
model:
    name: "gemma
    dtype: bfloat16
tags = [a, b
data:
    wiki: {path: x, path: y}
mix |source, weight|
    wiki
    dict, 1
lr: 1e
end: 1
"""


def places(parsed) -> list[tuple[str, int]]:
    return [(d.code, d.span.line) for d in parsed.diagnostics]


def test_one_run_reports_every_error_and_nothing_else(read) -> None:
    parsed = read(SIX)
    assert places(parsed) == [
        ("MR120", 2),
        ("MR130", 4),
        ("MR140", 6),
        ("MR123", 8),
        ("MR160", 10),
        ("MR150", 12),
    ]


def test_what_can_be_read_is_read(read) -> None:
    assert plain(read(SIX).root) == {
        "recipe": "x",
        "model": {"dtype": "bfloat16"},
        "data": {"wiki": {"path": "x"}},
        "mix": [{"source": "dict", "weight": 1}],
        "lr": "1e",
        "end": 1,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model\n    name: a\n    b 1\nc: 1", [("MR120", 1), ("MR120", 3)]),
        ("a:\n    b 1\n    c: 2\n    d: 3", [("MR120", 2)]),
        ("- a: 1\n  b: 2\n- a: 3\nc: 1", [("MR128", 1)]),
        ("a: |\n  some: text\n  - more\nb: 1", [("MR134", 1)]),
        ("a {\n  b 1\n  c {\n    d 2\n  }\n}\ne: 1", [("MR127", 1)]),
        ("a {\n  b 1\nc: 1", [("MR127", 1)]),
        ("a = [\n1,\nx y: 3,\n2\n]\nb: 1", [("MR146", 3)]),
        ("[a]\nx = 1\n[b]\nx = 1\n", [("MR126", 1), ("MR126", 3)]),
        ("[a]\n  x = 1\n  y 1\n", [("MR126", 1), ("MR120", 3)]),
        ("a:\n\tb: 1\n    c: 2\n\td: 3", [("MR110", 3)]),
        ("a:\n    b: 1\n  c: 2\n  d: 3\n    e: 4\nf: 1", [("MR111", 3)]),
        ("a: 1\n    b: 1\n    c: 2\nd: 3", [("MR112", 2)]),
        ("t |a, b\n  1, 2\n  3, 4\nb: 1", [("MR163", 1)]),
        ("t: |a, b|\n  1, 2\n  3, 4\nb: 1", [("MR163", 1)]),
        ('p: """\n  one, two\n  three\nb: 1', [("MR131", 1)]),
        ('p: """one\n  two, three\n  """\nb: 1', [("MR132", 1)]),
        ('a:\n  - "x\n  - "y"\n  - z', [("MR130", 2)]),
        ("a: [1, [2, {x: 3]]\nb: 1\nc 2", [("MR141", 1), ("MR120", 3)]),
        ("a: [b\nmodel\n    use: c\nd: 1", [("MR140", 1), ("MR120", 2)]),
        ("a: [\nb\nc\n]\nd: 1", [("MR142", 3)]),
        ("a:\n  b c\n  d: e\n  f\ng: 1", [("MR125", 3)]),
        ("a:\n" + "".join(f"{'  ' * i}b:\n" for i in range(1, 80)) + "c 1", [("MR113", 66), ("MR120", 81)]),
    ],
)
def test_one_mistake_makes_no_others(text: str, expected: list[tuple[str, int]], read) -> None:
    assert places(read(text)) == expected


def test_findings_come_in_the_order_of_the_text(read) -> None:
    starts = [d.span.start for d in read(SIX).diagnostics]
    assert starts == sorted(starts)


def test_an_unclosed_bracket_does_not_swallow_the_file(read) -> None:
    assert plain(read("a: [1,\n  2,\nb: 3\nc: {x: 1\nd: 4").root) == {"b": 3, "d": 4}
