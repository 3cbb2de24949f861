"""Splits: every row in one part, groups whole, shares met, nothing depending on the order of the rows."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_dsl.plan.splitting import group_of, streamed_part
from pipeline_dsl.recipe.model import PARTS


def values(rows):
    return [placed.row["n"] for placed in rows]


SHARES = st.sampled_from([(0.9, 0.1), (0.5, 0.5), (0.8, 0.1, 0.1), (0.2, 0.3, 0.5)])
GROUPS = st.lists(st.integers(0, 12), min_size=3, max_size=60).filter(lambda groups: len(set(groups)) > 2)
SEEDS = st.integers(0, 5)


def rows_of(groups):
    return [{"n": number, "case": f"case {group}"} for number, group in enumerate(groups)]


def parts_of(view, rows, shares, seed, **words):
    """The numbers of the rows in each part."""
    whole = view(rows, split=shares, seed=seed, **words)
    return [
        values(replace(whole, plan=replace(whole.plan, part=part)).rows()) for part in PARTS[: len(shares)]
    ]


@given(groups=GROUPS, shares=SHARES, seed=SEEDS)
def test_parts_are_disjoint_cover_everything_and_keep_groups_whole(view, groups, shares, seed):
    parts = parts_of(view, rows_of(groups), shares, seed, group_by=("case",))
    assert sorted(number for part in parts for number in part) == list(range(len(groups)))
    assert all(parts)
    homes = [{groups[number] for number in part} for part in parts]
    assert sum(len(home) for home in homes) == len(set(groups))


@given(groups=GROUPS, shares=SHARES, seed=SEEDS)
def test_a_border_is_within_one_group_of_its_share_for_each_border_that_there_is(view, groups, shares, seed):
    parts = parts_of(view, rows_of(groups), shares, seed, group_by=("case",))
    sizes = Counter(groups)
    for border in range(1, len(shares)):
        wanted = sum(shares[:border]) * len(groups)
        got = sum(len(part) for part in parts[:border])
        assert abs(got - wanted) <= (len(shares) - 1) * max(sizes.values())


def test_where_every_group_is_one_row_the_shares_are_exact(view):
    rows = [{"n": n} for n in range(1000)]
    assert [len(part) for part in parts_of(view, rows, (0.8, 0.1, 0.1), 7)] == [800, 100, 100]


@given(groups=GROUPS, shares=SHARES, seed=SEEDS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(view, groups, shares, seed, order: random.Random):
    rows = rows_of(groups)
    mixed = order.sample(rows, len(rows))
    one, other = (parts_of(view, some, shares, seed, group_by=("case",)) for some in (rows, mixed))
    assert [sorted(part) for part in one] == [sorted(part) for part in other]


def test_the_same_seed_gives_the_same_parts_and_another_one_others(view):
    rows = [{"n": n} for n in range(50)]
    first, again, other = (parts_of(view, rows, (0.5, 0.5), seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first[0] == sorted(first[0])


@given(groups=GROUPS, shares=SHARES, seed=SEEDS)
def test_a_streamed_row_finds_its_part_without_the_others(view, groups, shares, seed):
    words = {"streaming": True, "group_by": ("case",)}
    rows = rows_of(groups)
    alone = [streamed_part(group_of(row, row, ("case",)), shares, seed) for row in rows]
    for index, part in enumerate(PARTS[: len(shares)]):
        wanted = [n for n, home in enumerate(alone) if home == index]
        streamed = view(rows, split=shares, seed=seed, part=part, **words)
        assert wanted == [] or values(streamed.since(0)) == wanted


def test_streamed_shares_are_met_on_average():
    rows = [{"n": n} for n in range(4000)]
    counts = Counter(streamed_part(group_of(row, row, ()), (0.8, 0.1, 0.1), 3) for row in rows)
    assert counts[0] == pytest.approx(3200, abs=100)
    assert counts[1] == pytest.approx(400, abs=80)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"case": "Chest  Pain "}, {"case": "chest pain"}),
        ({"case": 1}, {"case": 1.0}),
        ({"case": 1}, {"case": "1"}),
        ({"case": {"a": 1, "b": [2]}}, {"case": {"b": [2.0], "a": 1}}),
        ({"case": "한글"}, {"case": "한글"}),
    ],
)
def test_what_means_the_same_is_one_group(one, other):
    assert group_of(one, one, ("case",)) == group_of(other, other, ("case",))
    assert group_of(one, one, ()) == group_of(other, other, ())


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("+1", "-1"), (["a", "b"], "a b"), (1, 10)])
def test_what_means_something_else_is_another_group(one, other):
    assert group_of({}, {"case": one}, ("case",)) != group_of({}, {"case": other}, ("case",))


def test_rows_without_a_value_to_group_by_are_groups_of_their_own():
    rows = [{"n": n, "case": empty} for n, empty in enumerate([None, "", None, "x", "x"])]
    groups = [group_of(row, row, ("case",)) for row in rows]
    assert len(set(groups)) == 4
    assert groups[3] == groups[4]


def test_equal_rows_stay_together_without_group_by(view):
    rows = [{"n": n % 10} for n in range(40)]
    train, validation = parts_of(view, rows, (0.7, 0.3), 5)
    assert not set(train) & set(validation)
    assert (len(train), len(validation)) == (28, 12)


def test_columns_under_another_name_do_not_move_a_row(view):
    rows = [{"n": n} for n in range(30)]
    assert parts_of(view, rows, (0.5, 0.5), 1) == parts_of(view, rows, (0.5, 0.5), 1, columns={"m": "n"})
