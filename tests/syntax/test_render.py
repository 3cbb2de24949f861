from __future__ import annotations

import pytest

from pipeline_dsl.syntax.nodes import plain
from pipeline_dsl.syntax.render import render, render_key, render_value


def test_a_recipe_is_written_as_people_write_it(read) -> None:
    value = {
        "recipe": "medgemma_korean",
        "seed": 42,
        "tags": ["korean", "medical"],
        "model": {"name": "google/medgemma-4b-it", "lr": 2e-4, "한글": "값", "none": None, "empty": {}},
        "mix": [{"data": "wiki", "weight": 1}, {"data": "x y", "weight": 0.5}],
    }
    text = render(value)
    assert text == (
        "recipe: medgemma_korean\n"
        "seed: 42\n"
        "tags: [korean, medical]\n"
        "model:\n"
        "    name: google/medgemma-4b-it\n"
        "    lr: 0.0002\n"
        "    한글: 값\n"
        "    none: null\n"
        "    empty: {}\n"
        "mix:\n"
        "    - {data: wiki, weight: 1}\n"
        "    - {data: x y, weight: 0.5}\n"
    )
    assert plain(read(text).root) == value


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "1",
        "1e5",
        "+5",
        ".5",
        "",
        " a",
        "a ",
        "a, b",
        "a # b",
        "- a",
        "a: b",
        "a = b",
        "|",
        "table{a}",
        "'a'",
        "a\nb",
        "l\u043era",
        "[",
        "${a}{",
        "x:",
    ],
)
def test_text_that_would_read_as_something_else_is_quoted(text: str, read) -> None:
    assert render_value(text).startswith('"')
    assert plain(read(f"a: {render_value(text)}\nb: [{render_value(text)}]").root) == {"a": text, "b": [text]}


@pytest.mark.parametrize(
    "text",
    ["a", "a b", "cuda:0", "/abs/p", "2.1.0", "2026-04-12", "user@host", "http://a.b/c", "한국어", "50%"],
)
def test_plain_text_stands_bare(text: str) -> None:
    assert render_value(text) == text


def test_control_characters_survive(read) -> None:
    value = {"a": "".join(map(chr, range(1, 33))) + "\x7f\x85\u2028\ufeff\U0001f600"}
    assert plain(read(render(value)).root) == value


@pytest.mark.parametrize(
    "value",
    [
        "\0",
        "\ud800",
        2**63,
        -(2**63) - 1,
        10**400,
        float("nan"),
        float("inf"),
        {"\0": 1},
        {"\u00e9": 1, "e\u0301": 2},
    ],
)
def test_what_cannot_stand_in_a_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        render({"a": value})


def test_nesting_past_the_limit_is_refused() -> None:
    value: object = 1
    for _ in range(70):
        value = [value]
    with pytest.raises(ValueError, match="64"):
        render({"a": value})
    value = {}
    for _ in range(70):
        value = {"a": value}
    with pytest.raises(ValueError, match="64"):
        render(value)


def test_the_deepest_value_that_is_written_can_be_read(read) -> None:
    value: object = "x"
    for depth in range(64):
        value = {"a": value} if depth % 3 else [value]
    for whole in ({"a": value}, value if isinstance(value, dict) else {"b": value}):
        try:
            text = render(whole)
        except ValueError:
            continue
        assert plain(read(text).root) == whole


def test_keys_are_written_in_nfc() -> None:
    assert render({"e\u0301": 1}) == "\u00e9: 1\n"
    assert render_key("a b") == '"a b"'


@pytest.mark.parametrize(
    "value",
    [
        -0.0, 0.0, 1e22, 1e16, 123456789012345680.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1e-7, 0.1,
        -(2**63), 2**63 - 1, 0, True, None, "", [], {}, [[]], [{}], {"": ""}, [{"a": [{"b": []}]}, [{"c": None}], "x"],
        "\ud7ff\ue000\U0010ffff", "- ", "#", "a #", "\\", '"""', "\r\n", "\u2028", "nil", "1_000", "table{a}",
    ],
)  # fmt: skip
def test_any_kind_of_value_reads_as_it_was_written(value: object, read) -> None:
    for whole in ({"a": value}, {"a": [value]}, {"a": {"b": value}}, {"a": [{"x": value, "y": value}] * 2}):
        for tables in (False, True):
            parsed = read(render(whole, tables=tables))
            assert parsed.ok
            assert repr(plain(parsed.root)) == repr(whole)


def test_rows_become_a_table_where_they_can(read) -> None:
    rows = [{"a": 1, "b": ""}, {"a": None, "b": "x, y"}]
    assert render({"t": rows}, tables=True) == 't |a, b|\n    1, ""\n    null, "x, y"\n'
    for other in (
        [{"a": 1}],
        [{"a": 1, "b": []}],
        [{"a": 1, "b": 2}, {"b": 1, "a": 2}],
        [{"a": 1, "b": 2}, 3],
    ):
        assert "|" not in render({"t": other}, tables=True)
