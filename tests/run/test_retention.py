"""Formulas against matrices that were worked out by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from pipeline_dsl.api import Score
from pipeline_dsl.run.retention import BASE, Retention


def score(value: float, *, higher: bool = True, spread: float = 0.0) -> Score:
    return Score(
        value=value, low=value - spread, high=value + spread, n=10, protocol="x", higher_is_better=higher
    )


def matrix(rows, tasks, values, own, *, higher=True) -> Retention:
    cells = {
        (row, task): score(value, higher=higher)
        for row, line in zip(rows, values, strict=True)
        for task, value in zip(tasks, line, strict=True)
        if value is not None
    }
    return Retention(tasks=tuple(tasks), rows=tuple(rows), own=own, cells=cells)


ROWS, TASKS = (BASE, "p1", "p2", "p3"), ("t1", "t2", "t3")
OWN = {"p1": "t1", "p2": "t2", "p3": "t3"}
THREE = (
    (0.10, 0.20, 0.30),
    (0.80, 0.25, 0.35),
    (0.60, 0.90, 0.20),
    (0.70, 0.75, 0.95),
)


def test_a_full_matrix():
    summary = matrix(ROWS, TASKS, THREE, OWN).summary()
    assert summary["acc"] == pytest.approx((0.70 + 0.75 + 0.95) / 3)
    assert summary["bwt"] == pytest.approx(((0.70 - 0.80) + (0.75 - 0.90)) / 2)
    assert summary["forgetting"] == pytest.approx(((0.80 - 0.70) + (0.90 - 0.75)) / 2)
    assert summary["fwt"] == pytest.approx(((0.25 - 0.20) + (0.20 - 0.30)) / 2)
    assert summary["learning_accuracy"] == pytest.approx((0.80 + 0.90 + 0.95) / 3)


def test_a_score_that_goes_to_100_counts_as_a_share():
    plain = matrix(ROWS, TASKS, THREE, OWN)
    hundreds = {
        key: replace(s, value=100 * s.value, perfect=100.0)
        for key, s in plain.cells.items()
        if key[1] == "t1"
    }
    scaled = replace(plain, cells={**plain.cells, **hundreds})
    assert scaled.summary() == pytest.approx(plain.summary())
    assert scaled.to_json()["perfect"] == {"t1": 100.0}
    assert scaled.to_json()["scores"][1][0] == 80.0, "the matrix itself shows the score as it is"


def test_forgetting_is_measured_from_the_best_since_a_task_was_taught():
    values = [list(line) for line in THREE]
    values[2][0] = 0.99
    summary = matrix(ROWS, TASKS, values, OWN).summary()
    assert summary["forgetting"] == pytest.approx(((0.99 - 0.70) + (0.90 - 0.75)) / 2)
    values[0][0] = 1.0
    assert matrix(ROWS, TASKS, values, OWN).summary()["forgetting"] == pytest.approx(summary["forgetting"])


def test_getting_better_is_negative_forgetting_and_positive_transfer():
    summary = matrix(
        (BASE, "p1", "p2"), ("t1", "t2"), ((0, 0), (0.5, 0), (0.7, 1)), {"p1": "t1", "p2": "t2"}
    ).summary()
    assert summary["bwt"] == pytest.approx(0.2)
    assert summary["forgetting"] == pytest.approx(-0.2)


def test_one_phase_has_an_accuracy_and_nothing_to_forget():
    summary = matrix((BASE, "p1"), ("t1",), ((0.1,), (0.6,)), {"p1": "t1"}).summary()
    assert summary == {"acc": 0.6, "bwt": None, "forgetting": None, "fwt": None, "learning_accuracy": 0.6}


def test_without_own_tasks_nothing_can_be_said():
    summary = matrix(ROWS, TASKS, THREE, dict.fromkeys(OWN)).summary()
    assert set(summary.values()) == {None}


def test_a_phase_without_an_own_task_counts_as_a_row_only():
    own = {"p1": "t1", "p2": None, "p3": "t3"}
    summary = matrix(ROWS, TASKS, THREE, own).summary()
    assert summary["acc"] == pytest.approx((0.70 + 0.95) / 2)
    assert summary["bwt"] == pytest.approx(0.70 - 0.80)
    assert summary["fwt"] == pytest.approx(0.20 - 0.30)


@pytest.mark.parametrize(
    ("row", "column", "missing"),
    [
        (3, 0, {"acc", "bwt", "forgetting"}),
        (1, 0, {"bwt", "learning_accuracy"}),
        (0, 1, {"fwt"}),
        (2, 2, {"fwt"}),
        (2, 0, set()),
    ],
)
def test_what_a_missing_score_is_needed_for_is_none_and_the_rest_stands(row, column, missing):
    values = [list(line) for line in THREE]
    values[row][column] = None
    whole, holed = matrix(ROWS, TASKS, THREE, OWN).summary(), matrix(ROWS, TASKS, values, OWN).summary()
    assert {name for name, value in holed.items() if value is None} == missing
    for name in {"acc", "learning_accuracy"} - missing:
        assert holed[name] == pytest.approx(whole[name])


def test_two_phases_that_teach_one_task():
    own = {"p1": "t1", "p2": "t1"}
    summary = matrix((BASE, "p1", "p2"), ("t1",), ((0.1,), (0.5,), (0.9,)), own).summary()
    assert summary["acc"] == pytest.approx(0.9)
    assert summary["bwt"] == pytest.approx(0.4)
    assert summary["fwt"] == pytest.approx(0.4)


def test_perplexity_enters_as_the_nats_that_it_fell_below_the_base():
    retention = matrix(
        (BASE, "p1", "p2"), ("t1",), ((40.0,), (10.0,), (20.0,)), {"p1": "t1", "p2": None}, higher=False
    )
    assert retention.gain(BASE, "t1") == 0
    assert retention.gain("p1", "t1") == pytest.approx(math.log(4))
    assert retention.gain("p2", "t1") == pytest.approx(math.log(2))
    summary = retention.summary()
    assert summary["bwt"] == pytest.approx(-math.log(2))
    assert summary["forgetting"] == pytest.approx(math.log(2))


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_perplexity_that_is_none_gives_no_gain(value):
    retention = matrix((BASE, "p1"), ("t1",), ((40.0,), (value,)), {"p1": "t1"}, higher=False)
    assert retention.gain("p1", "t1") is None
    assert retention.summary()["acc"] is None


def test_a_score_that_is_no_number_gives_no_gain():
    assert matrix((BASE,), ("t1",), ((math.nan,),), {}).gain(BASE, "t1") is None


def test_without_a_base_score_a_perplexity_gives_no_gain():
    retention = matrix((BASE, "p1"), ("t1",), ((None,), (10.0,)), {"p1": "t1"}, higher=False)
    assert retention.gain("p1", "t1") is None


def test_the_best_before_is_the_best_of_the_rows_above():
    retention = matrix(ROWS, TASKS, THREE, OWN)
    assert retention.best_before("p3", "t1").value == 0.80
    assert retention.best_before("p1", "t1").value == 0.10
    assert retention.best_before(BASE, "t1") is None
    low = matrix(ROWS, TASKS, THREE, OWN, higher=False)
    assert low.best_before("p3", "t1").value == 0.10


def test_a_score_that_is_no_number_is_never_the_best():
    values = [list(line) for line in THREE]
    values[1][0] = math.nan
    assert matrix(ROWS, TASKS, values, OWN).best_before("p3", "t1").value == 0.60


def test_as_json_it_has_null_where_nothing_was_scored_or_the_score_is_no_number():
    values = [list(line) for line in THREE]
    values[0][1], values[1][1] = None, math.nan
    data = matrix(ROWS, TASKS, values, OWN).to_json()
    assert data["rows"] == list(ROWS)
    assert data["tasks"] == list(TASKS)
    assert data["scores"][0] == [0.10, None, 0.30]
    assert data["intervals"][0][1] is None
    assert data["scores"][1][1] is None
    assert json.loads(json.dumps(data, allow_nan=False)) == data
