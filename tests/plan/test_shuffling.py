"""Streams: every pass has every row once, order is a pure function of the seed, any position can be resumed."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_dsl.api import DataError
from pipeline_dsl.plan.shuffling import RowStream


def values(rows):
    return [placed.row["n"] for placed in rows]


COUNTS, BUFFERS, SEEDS = st.integers(1, 30), st.integers(1, 12), st.integers(0, 3)


def stream(view, count: int, buffer: int, seed: int = 0):
    """An endless stream of so many rows, and their source."""
    whole = view([{"n": n} for n in range(count)], streaming=True, shuffle_buffer=buffer)
    return whole.stream(seed), whole.source


def first(stream: RowStream, count: int, position: int = 0) -> list[int]:
    return values(islice(stream.since(position), count))


@given(count=COUNTS, buffer=BUFFERS, seed=SEEDS)
def test_every_pass_has_every_row_once(view, count, buffer, seed):
    taken = first(stream(view, count, buffer, seed)[0], 3 * count)
    for turn in range(3):
        assert sorted(taken[turn * count : (turn + 1) * count]) == list(range(count))


@given(count=COUNTS, buffer=BUFFERS, seed=SEEDS, data=st.data())
def test_going_on_at_a_position_is_as_if_it_had_never_stopped(view, count, buffer, seed, data):
    endless, _ = stream(view, count, buffer, seed)
    position = data.draw(st.integers(0, 4 * count))
    whole = first(endless, position + 2 * count)
    assert first(endless, 2 * count, position) == whole[position:]


@given(count=COUNTS, buffer=BUFFERS, seed=SEEDS, data=st.data())
def test_windows_are_told_with_the_position_of_their_first_row(view, count, buffer, seed, data):
    endless, _ = stream(view, count, buffer, seed)
    position = data.draw(st.integers(0, 3 * count))
    whole = first(endless, position + 3 * buffer)
    start, window = next(endless.windows(position))
    assert start <= position < start + len(window)
    assert len(window) <= buffer
    assert whole[start : start + len(window)] == values(window)


def test_another_seed_gives_another_order_and_the_same_seed_the_same(view):
    orders = [first(stream(view, 50, 20, seed)[0], 50) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_passes_differ_and_their_windows_begin_elsewhere(view):
    endless, _ = stream(view, 100, 10)
    starts = [start for start, _ in islice(endless.windows(0), 60)]
    turns = [{start % 100 for start in starts if start // 100 == turn} for turn in range(3)]
    assert turns[0] != turns[1] != turns[2]
    assert first(endless, 100) != first(endless, 100, position=100)


def test_rows_stay_near_where_they_were(view):
    endless, _ = stream(view, 100, 10)
    assert all(abs(n - place) < 10 for place, n in enumerate(first(endless, 100)))


def test_no_more_than_a_window_is_read_ahead(view):
    endless, source = stream(view, 1000, 10)
    first(endless, 1)
    assert source.read <= 10


def test_going_on_begins_to_read_at_the_window_of_the_position(view):
    endless, source = stream(view, 1000, 10)
    first(endless, 1, position=500)
    assert 490 <= source.starts[-1] <= 500


@pytest.mark.parametrize("position", [0, 5])
def test_a_stream_without_a_row_ends_in_an_error_and_not_in_a_circle(view, position):
    nothing = RowStream(name="exam", rows=lambda _start: iter(()), buffer=5, seed=0)
    for endless, says in ((nothing, "`exam` gives no row"), (stream(view, 0, 5)[0], "no row in `exam`")):
        with pytest.raises(DataError, match=says) as caught:
            first(endless, 1, position)
        assert caught.value.code == "MR504"


@given(count=st.integers(6, 30), start=st.integers(0, 40), limit=st.none() | st.integers(1, 40))
def test_a_view_from_a_row_on_is_the_end_of_the_whole_view(view, count, start, limit):
    rows = [{"n": n} for n in range(count)]
    for words in ({}, {"filter": "n != 3"}, {"split": (0.6, 0.4), "part": "train"}):
        streamed = view(rows, streaming=True, limit=limit, **words)
        assert values(streamed.since(start)) == values(streamed.since(0))[start:]
