"""The words of the language in ``data`` blocks: what they read as, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline_dsl.recipe.load import Loaded
from pipeline_dsl.recipe.model import Recipe, View
from pipeline_dsl.syntax.nodes import plain

Load = Callable[..., Loaded]
E = "        path: e.jsonl\n"


def block(small: str, *lines: str) -> str:
    """The small recipe with these words in the data block ``e``."""
    return small.replace(E, E + "".join(f"        {line}\n" for line in lines))


def fine(loaded: Loaded) -> Recipe:
    assert loaded.diagnostics == ()
    assert loaded.recipe is not None
    return loaded.recipe


def only(loaded: Loaded) -> tuple[str, str, str, str]:
    """Code, place, message and help of the one finding."""
    (found,) = loaded.diagnostics
    assert found.span is not None
    return found.code, found.span.text, found.message, found.help or ""


def view_of(recipe: Recipe, name: str) -> View:
    return next(data.view for data in recipe.data if data.name.name == name)


def test_a_block_without_words_shows_its_rows_as_they_are(load: Load, small: str) -> None:
    assert view_of(fine(load(small)), "e") == View()


def test_all_words_are_read_and_leave_the_provider_its_own_options(load: Load, small: str) -> None:
    text = block(
        small,
        "columns: {korean: ko, english: en}",
        'filter: "year >= 2019"',
        "limit: 5",
        "split: 0.8/0.1/0.1",
        "group_by: [patient, ward]",
        "streaming: true",
        "shuffle_buffer: 20",
        "pii: deny",
    ).replace("recall, e,", "recall, e.test,")
    recipe = fine(load(text.replace("            e, plain, 1", "            e.train, plain, 1")))
    view = view_of(recipe, "e")
    assert (view.columns, view.limit, view.pii) == ({"korean": "ko", "english": "en"}, 5, "deny")
    assert view.filter is not None
    assert (view.filter.text, view.filter.span.text) == ("year >= 2019", '"year >= 2019"')
    assert (view.split, view.parts) == ((0.8, 0.1, 0.1), ("train", "validation", "test"))
    assert [ref.name for ref in view.group_by] == ["patient", "ward"]
    assert (view.streaming, view.shuffle_buffer) == (True, 20)
    assert plain(recipe.data[1].use.options) == {"path": "e.jsonl"}


def test_like_copies_the_words_and_null_takes_one_back(load: Load, small: str) -> None:
    text = block(small, "limit: 5", "pii: deny").replace(
        "tasks |", "    f:\n        like: e\n        limit: null\ntasks |"
    )
    recipe = fine(load(text))
    assert (view_of(recipe, "f").limit, view_of(recipe, "f").pii) == (None, "deny")


@pytest.mark.parametrize(
    "number", [0.9, "0.9", "0.9/0.1/0/0", "0.5/0.5/0.5/0.5", "0.9/0.2", "1/0", "a/b", "-1/2"]
)
def test_shares_that_make_no_sense_are_refused_at_their_place(load: Load, small: str, number: object) -> None:
    code, place, message, advice = only(load(block(small, f"split: {number}")))
    assert (code, place) == ("MR216", str(number))
    assert f"`data.e.split` cannot be `{number}`: " in message
    assert "0.9/0.1" in advice


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("limit: many", "MR330", "`data.e.limit` must be a whole number, not text"),
        ("limit: 0", "MR331", "`data.e.limit` must be 1 or more, not 0"),
        ("streaming: 1", "MR330", "`data.e.streaming` must be true or false, not a whole number"),
        ("filter: 3", "MR330", "`data.e.filter` must be a condition in quotes, not a whole number"),
        ("columns: [a]", "MR330", "`data.e.columns` must be a block of `name: column`, not a list"),
        ("columns: {a: 3}", "MR330", "`data.e.columns.a` must be the name of a column, not a whole number"),
        ("split: [0.9]", "MR330", "`data.e.split` must be shares such as 0.9/0.1, not a list"),
        ("pii: never", "MR332", "`data.e.pii` cannot be `never`"),
        ("group_by: a", "MR217", "`data.e.group_by` does nothing without `split`"),
    ],
)
def test_a_word_of_the_wrong_kind_is_refused(load: Load, small: str, line: str, code: str, says: str) -> None:
    found = only(load(block(small, line)))
    assert (found[0], found[2]) == (code, says)


def test_words_are_checked_once_in_blocks_that_are_like_each_other(load: Load, small: str) -> None:
    text = block(small, "limit: 0").replace("tasks |", "    f:\n        like: e\ntasks |")
    assert only(load(text))[0] == "MR331"


@pytest.mark.parametrize(
    ("name", "code", "advice"),
    [
        ("e", "MR214", "its parts: `e.train`, `e.validation`"),
        ("e.test", "MR215", "its parts: e.train, e.validation"),
        ("e.trian", "MR215", "did you mean `e.train`?"),
        ("ee.train", "MR202", "did you mean `e.train`?"),
        ("d.train", "MR215", "write `d`, or give `data.d` a split: 0.9/0.1"),
    ],
)
def test_data_is_called_by_its_parts_where_it_is_split(
    load: Load, small: str, name: str, code: str, advice: str
) -> None:
    text = block(small, "split: 0.9/0.1").replace("            e, plain, 1", "            e.train, plain, 1")
    assert (
        fine(load(text.replace("recall, e,", "recall, e.validation,"))).tasks[0].data.name == "e.validation"
    )
    found = only(load(text.replace("recall, e,", f"recall, {name},")))
    assert (found[0], found[1]) == (code, name)
    assert advice in found[3]


def test_a_part_of_data_whose_split_is_wrong_is_not_wrong_too(load: Load, small: str) -> None:
    text = block(small, "split: 0.9/0.2").replace("recall, e,", "recall, e.validation,")
    text = text.replace("            e, plain, 1", "            e.train, plain, 1")
    assert only(load(text))[0] == "MR216"


def test_no_data_has_a_dot_in_its_name(load: Load, small: str) -> None:
    text = small.replace("    e:\n", "    e.x:\n").replace("recall, e,", "recall, e.x,")
    code, place, message, advice = only(load(text.replace("            e, plain", "            e.x, plain")))
    assert (code, place) == ("MR204", "e.x")
    assert message == "a data source cannot be called `e.x`: it holds a dot"
    assert advice == "call it `e_x`"


@pytest.mark.parametrize(
    ("filter_", "place", "says"),
    [
        ("a < 'x'", "a < 'x'", "texts are compared with == and != only, not with <"),
        ("'x' == 3", "'x' == 3", "a text is never a number"),
        ("a == 'x' for 2", "2", "a filter is about one row"),
        ("a == 'x", "'", "`'` has no meaning in a condition"),
        ("'x'", "'x'", "`'x'` is a text; a condition compares it with something"),
    ],
)
def test_a_filter_is_refused_where_it_goes_wrong(
    load: Load, small: str, filter_: str, place: str, says: str
) -> None:
    code, at, message, advice = only(load(block(small, f'filter: "{filter_}"')))
    assert code in {"MR421", "MR422"}
    assert at == place
    assert says in message
    assert "subject == 'doctor'" in advice


def test_a_hook_s_condition_has_no_text(load: Load, small: str) -> None:
    code, at, message, _ = only(load(small.replace("loss < 0.01", "loss == 'x'")))
    assert (code, at) == ("MR422", "'x'")
    assert "compares numbers, and this is a text" in message
