"""Streams of samples: shares, purity, exact going on from any position, bounded reading."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_dsl.api import DataError, PlacedRow, Preparation, Prepared, Sample
from pipeline_dsl.plan.mix import Pool
from pipeline_dsl.run.streaming import PhaseStream, PooledFeed, StreamedFeed


class Rows:
    """Endless rows that know how many were read; row n gives ``n % 3`` samples."""

    def __init__(self) -> None:
        self.read = 0

    def since(self, start):
        row = start
        while True:
            self.read += 1
            yield PlacedRow(f"f:{row}", {"row": row})
            row += 1


def render(row, id):
    return [Sample(prompt="", completion=f"{row['row']}.{n}", id=f"{id}.{n}") for n in range(row["row"] % 3)]


def prepare(samples):
    """Leaves out each sample whose row is a multiple of five."""
    rows = [Prepared(s.id, (1,), 1) if int(s.completion.split(".")[0]) % 5 else None for s in samples]
    return Preparation(rows=rows, dropped=rows.count(None), shortened=0, longest=1)


def streamed(rows=None, **changes):
    given = {
        "name": "texts",
        "rows": (rows or Rows()).since,
        "render": render,
        "prepare": prepare,
        "told": lambda _: None,
    }
    return StreamedFeed(**{**given, **changes})


def pooled(size, name="pool"):
    samples = [Prepared(f"{name}{n}", (n, 1), 1) for n in range(size)]
    return PooledFeed(pool=Pool(samples=samples, weight=1.0), key=f"7/{name}")


def taken(stream, count, position=0):
    return list(islice(stream.since(position), count))


def test_a_streamed_source_gives_what_its_rows_give():
    names = [sample.id for _, sample in taken(streamed(), 8)]
    assert names == ["f:1.0", "f:2.0", "f:2.1", "f:4.0", "f:7.0", "f:8.0", "f:8.1", "f:11.0"]


feeds = st.lists(
    st.tuples(st.sampled_from(["streamed", "pooled"]), st.integers(1, 7), st.floats(0.01, 1.0)),
    min_size=1, max_size=4,
)  # fmt: skip


def stream_of(parts, seed):
    made = [
        streamed() if kind == "streamed" else pooled(size, f"{n}/") for n, (kind, size, _) in enumerate(parts)
    ]
    return PhaseStream(made, [weight for _, _, weight in parts], seed)


@given(parts=feeds, seed=st.integers(0, 2**31), at=st.integers(0, 300))
@settings(max_examples=60, deadline=None)
def test_what_follows_a_position_does_not_depend_on_how_it_was_reached(parts, seed, at):
    whole = taken(stream_of(parts, seed), at + 40)
    position = whole[at - 1][0] if at else 0
    assert taken(stream_of(parts, seed), 40, position) == whole[at:]


@given(weights=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5), seed=st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_every_source_has_its_share_at_any_time(weights, seed):
    made = [pooled(3, f"{n}:") for n in range(len(weights))]
    names = [s.id.partition(":")[0] for _, s in taken(PhaseStream(made, weights, seed), 3000)]
    for length in (100, 1000, 3000):
        counts = Counter(names[:length])
        for place, weight in enumerate(weights):
            assert abs(counts[str(place)] - length * weight / sum(weights)) <= 8


def test_another_seed_interleaves_otherwise():
    orders = {
        tuple(s.id for _, s in taken(PhaseStream([pooled(9), streamed()], [1, 1], seed), 20))
        for seed in range(4)
    }
    assert len(orders) == 4


def test_a_pool_beside_a_stream_is_seen_pass_after_pass():
    samples = [s.id for _, s in taken(PhaseStream([pooled(6), streamed()], [0.5, 0.5], 3), 48)]
    pool = [name for name in samples if name.startswith("pool")]
    assert set(Counter(pool[:18]).values()) == {3}


def test_no_more_rows_are_read_than_are_needed():
    rows = Rows()
    taken(streamed(rows), 100)
    assert rows.read == 512
    rows = Rows()
    taken(streamed(rows), 10, position=4096 << 20)
    assert rows.read == 512


def test_a_stream_that_gives_nothing_ends_with_an_error_and_not_never():
    empty = streamed(render=lambda *_: [])
    with pytest.raises(DataError, match=r"10\d,\d{3} rows of `texts` in a row gave no sample") as caught:
        taken(empty, 1)
    assert caught.value.code == "MR542"


def test_what_is_wrong_with_a_row_of_a_stream_passes_through():
    def refuse(samples):
        raise DataError("1 of 512 samples is too long", code="MR540")

    with pytest.raises(DataError, match="too long"):
        taken(streamed(prepare=refuse), 1)
