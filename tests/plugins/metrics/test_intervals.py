"""Wilson and bootstrap."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrecipe_plugins.metrics._intervals import bootstrap, mean, wilson


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (8, 10, 0.49016, 0.94331),  # Agresti and Coull 1998 and every calculator since
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
        (50, 100, 0.40383, 0.59617),
    ],
)
def test_wilson_gives_the_known_intervals(hits, n, low, high):
    assert wilson(hits, n) == pytest.approx((low, high), abs=1e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_between_0_and_1(case):
    hits, n = case
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= high <= 1


@given(st.integers(1, 5000))
def test_wilson_of_none_begins_at_0_and_of_all_ends_at_1_exactly(n):
    assert wilson(0, n)[0] == 0.0
    assert wilson(n, n)[1] == 1.0


def test_bootstrap_is_near_the_normal_interval_of_a_mean():
    chooser = random.Random(5)
    values = [chooser.gauss(10, 2) for _ in range(400)]
    low, high = bootstrap(values, mean)
    assert high - low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)
    assert low < mean(values) < high


def test_bootstrap_is_the_same_every_time_and_draws_from_nobody():
    state = random.getstate()
    assert bootstrap([1.0, 2.0, 5.0], mean) == bootstrap([1.0, 2.0, 5.0], mean)
    assert random.getstate() == state


def test_one_item_has_no_width():
    assert bootstrap([3.0], mean) == (3.0, 3.0)


def test_400_items_take_under_a_second():
    start = time.process_time()
    bootstrap([float(n) for n in range(400)], mean)
    assert time.process_time() - start < 1
