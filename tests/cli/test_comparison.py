from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_dsl.cli.comparison import Change, Measured, change


def measured(value: float, low: float | None = None, high: float | None = None) -> Measured:
    return Measured(value=value, bounds=None if low is None or high is None else (low, high))


@pytest.mark.parametrize(
    ("before", "after", "became"),
    [
        (measured(0.2, 0.1, 0.3), measured(0.6, 0.5, 0.7), Change.BETTER),
        (measured(0.6, 0.5, 0.7), measured(0.2, 0.1, 0.3), Change.WORSE),
        (measured(0.2, 0.1, 0.3), measured(0.3, 0.2, 0.4), Change.UNCLEAR),
        (measured(0.2, 0.1, 0.3), measured(0.4, 0.3, 0.5), Change.UNCLEAR),
        (measured(0.2, 0.1, 0.3), measured(0.2, 0.0, 0.4), Change.NONE),
        (measured(0.2), measured(0.9, 0.8, 1.0), Change.UNCLEAR),
        (measured(float("nan"), 0, 1), measured(0.5, 0.4, 0.6), Change.UNCLEAR),
    ],
)
def test_better_and_worse_are_claimed_only_where_the_intervals_are_apart(before, after, became):
    assert change(before, after, higher_is_better=True) is became


def test_less_is_better_where_it_is():
    assert change(measured(632, 593, 675), measured(314, 296, 334), higher_is_better=False) is Change.BETTER


NUMBERS = st.floats(0, 1)


@given(
    st.lists(NUMBERS, min_size=3, max_size=3).map(sorted),
    st.lists(NUMBERS, min_size=3, max_size=3).map(sorted),
)
def test_what_is_better_one_way_is_worse_the_other(one, other):
    a, b = measured(one[1], one[0], one[2]), measured(other[1], other[0], other[2])
    opposite = {Change.BETTER: Change.WORSE, Change.WORSE: Change.BETTER}
    there = change(a, b, higher_is_better=True)
    assert change(b, a, higher_is_better=True) is opposite.get(there, there)
    assert change(a, b, higher_is_better=False) is opposite.get(there, there)
