"""Data that is looked through: the same is found whether it is kept in memory or read again and again."""

from __future__ import annotations

import pytest

from pipeline_dsl.api import DataError
from pipeline_dsl.plan import inspection
from pipeline_dsl.plan.inspection import inspect_data

RECIPE = """\
recipe: sample
model: {use: embedded}
adapters:
    first: {use: lora, r: 4}
data:
    taught: {use: jsonl, path: taught.jsonl}
    one: {use: jsonl, path: one.jsonl}
    two: {use: jsonl, path: two.jsonl}
tasks |task, data, template, metric|
    one, one, plain_text, perplexity
    two, two, plain_text, perplexity
phases:
    only:
        stack |adapter, role|
            first, train
        mix |data, template, weight|
            taught, plain_text, 1
"""
STORY = (
    "A 58-year-old man came to the emergency room with squeezing chest pain and cold sweat for two hours. "
)


def texts(*rows):
    return [{"text": text} for text in rows]


@pytest.fixture
def looked_through(desk, installed):
    def look(taught, one, two):
        for name, rows in (("taught", taught), ("one", one), ("two", two)):
            desk.rows(f"{name}.jsonl", texts(*rows))
        said: list[str] = []
        inspect_data(desk.plan(RECIPE), installed, said.append)
        return said

    return look


@pytest.fixture(params=["kept", "read again"])
def large(request, monkeypatch):
    """Whether rows are too many to be kept in memory."""
    if request.param == "read again":
        monkeypatch.setattr(inspection, "_ROW", 10 * inspection.MOST_CHARACTERS)
    return request.param == "read again"


def test_a_row_that_is_asked_and_taught_is_refused(looked_through, large):
    with pytest.raises(DataError) as caught:
        looked_through(["heart", "Lung", "liver"], ["skin"], ["nerve", "LUNG", "liver"])
    assert "`two` shares 2 of 3 rows with `taught`" in caught.value.message
    assert caught.value.place.endswith("two.jsonl:2 and " + caught.value.place.split(" and ")[1])
    assert caught.value.place.endswith("taught.jsonl:2")


def test_where_two_tasks_ask_what_is_taught_the_later_one_is_named(looked_through, large):
    with pytest.raises(DataError, match="`two` shares 1 of 1 rows"):
        looked_through(["heart", "lung"], ["lung"], ["heart"])


def test_a_row_most_of_which_is_taught_is_said(looked_through, large):
    (said,) = looked_through([STORY + "What now?", "lung"], ["skin"], [STORY + "Why?"])
    assert said.startswith("1 of 1 rows of `two` share most of their text with rows of `taught`")


def test_where_nothing_is_shared_nothing_is_said(looked_through, large):
    assert looked_through(["heart", "lung"], ["skin"], ["nerve"]) == []


def test_texts_past_the_bound_are_searched_for_equal_rows_alone(looked_through, monkeypatch):
    monkeypatch.setattr(inspection, "MOST_CHARACTERS", 50)
    assert looked_through([STORY + "What now?", "lung"], ["skin"], [STORY + "Why?"]) == []
    with pytest.raises(DataError, match="`one` shares 1 of 1 rows"):
        looked_through([STORY, "lung"], ["lung"], ["heart"])
