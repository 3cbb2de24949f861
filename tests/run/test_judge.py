from __future__ import annotations

import math

import pytest

from pipeline_dsl.api import Score
from pipeline_dsl.plan.model import ContractPlan
from pipeline_dsl.run.judge import judge
from pipeline_dsl.run.retention import BASE, Retention


def score(value, low=None, high=None, *, higher=True, invalid=None) -> Score:
    return Score(
        value=value, low=value if low is None else low, high=value if high is None else high, n=50, protocol="x",
        higher_is_better=higher, invalid=invalid,
    )  # fmt: skip


def contract(otherwise="reject", **bound) -> ContractPlan:
    return ContractPlan(task="t", **{"keep": None, "drop": None, "rise": None, **bound}, otherwise=otherwise)


def verdict(before, after, bound, **more):
    cells = {k: v for k, v in {(BASE, "t"): before, ("p", "t"): after}.items() if v is not None}
    retention = Retention(tasks=("t",), rows=(BASE, "p"), own={}, cells=cells)
    (found,) = judge([contract(**more, **bound)], retention, "p")
    return found


@pytest.mark.parametrize(
    ("bound", "before", "expected"),
    [
        ({"keep": 0.9}, 0.8, 0.72),
        ({"drop": 0.1}, 0.8, 0.7),
        ({"rise": 0.05}, 0.8, 0.84),
    ],
)
def test_bounds_of_a_score_that_should_be_high(bound, before, expected):
    assert verdict(score(before), score(before), bound).bound == pytest.approx(expected)


@pytest.mark.parametrize(
    ("bound", "expected"), [({"keep": 0.8}, 12.5), ({"drop": 2.0}, 12.0), ({"rise": 0.05}, 10.5)]
)
def test_bounds_of_a_score_that_should_be_low(bound, expected):
    found = verdict(score(10.0, higher=False), score(10.0, higher=False), bound)
    assert found.bound == pytest.approx(expected)


@pytest.mark.parametrize(
    ("low", "value", "high", "broken", "doubtful"),
    [
        (0.85, 0.90, 0.95, False, False),
        (0.60, 0.71, 0.80, False, True),
        (0.50, 0.60, 0.719, True, True),
        (0.50, 0.60, 0.721, False, True),
    ],
)
def test_a_contract_is_broken_when_the_whole_interval_is_past_the_bound(low, value, high, broken, doubtful):
    found = verdict(score(0.8), score(value, low, high), {"keep": 0.9})
    assert (found.broken, found.doubtful, found.rejects) == (broken, doubtful, broken)


@pytest.mark.parametrize(
    ("low", "value", "high", "broken", "doubtful"),
    [(9.0, 9.5, 10.0, False, False), (10.0, 11.0, 12.0, False, True), (10.6, 11.0, 12.0, True, True)],
)
def test_a_score_that_should_be_low_is_judged_the_other_way_round(low, value, high, broken, doubtful):
    found = verdict(score(10.0, higher=False), score(value, low, high, higher=False), {"rise": 0.05})
    assert (found.broken, found.doubtful) == (broken, doubtful)


def test_a_contract_that_warns_rejects_nothing():
    found = verdict(score(0.8), score(0.1), {"keep": 0.9}, otherwise="warn")
    assert found.broken
    assert not found.rejects


@pytest.mark.parametrize(("before", "after"), [(None, score(0.1)), (score(0.8), None)])
def test_without_both_scores_nothing_is_broken(before, after):
    found = verdict(before, after, {"keep": 0.9})
    assert not found.broken
    assert "not judged" in found.text()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("higher", [True, False])
def test_a_score_that_is_no_number_breaks_a_contract(value, higher):
    found = verdict(score(0.8, higher=higher), score(value, higher=higher), {"keep": 0.9})
    assert found.broken


@pytest.mark.parametrize(("value", "broken"), [(0.1, True), (0.9, False)])
def test_an_evaluation_that_should_not_be_believed_is_judged_and_told(value, broken):
    found = verdict(score(0.8), score(value, invalid="one letter in 90 % of answers"), {"keep": 0.9})
    assert (found.broken, found.doubtful) == (broken, True)
    assert found.text().endswith("; not to be believed: one letter in 90 % of answers")


@pytest.mark.parametrize(("value", "words"), [(0.9, "kept"), (0.1, "broken")])
def test_a_verdict_is_one_line_with_score_interval_bound_and_best(value, words):
    text = verdict(score(0.8), score(value), {"keep": 0.9}).text()
    assert text == f"t: {words}: {value:g} [{value:g}, {value:g}], asked for at least 0.72 (best before 0.8)"


def test_every_contract_of_a_phase_is_judged():
    cells = {(BASE, "t"): score(0.8), ("p", "t"): score(0.5)}
    retention = Retention(tasks=("t",), rows=(BASE, "p"), own={}, cells=cells)
    found = judge([contract(keep=0.9), contract(drop=0.4)], retention, "p")
    assert [v.broken for v in found] == [True, False]
