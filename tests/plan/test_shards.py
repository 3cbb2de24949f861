"""Prepared samples written as they come: the same files however they come, and little in memory."""

from __future__ import annotations

import tracemalloc
from array import array
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_dsl.api import Preparation, Prepared
from pipeline_dsl.plan.again import Again
from pipeline_dsl.plan.prepared import MANIFEST, PreparedPool, cache_folder, find
from pipeline_dsl.plan.shards import write

rows = st.lists(
    st.none()
    | st.builds(
        Prepared,
        st.sampled_from(["texts#1", "texts/가", "other"]),
        st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=4).map(tuple),
        st.integers(1, 3),
    ),
    max_size=12,
)


def preparation(some, shortened=0):
    longest = max((len(row.ids) for row in some if row), default=0)
    return Preparation(rows=some, dropped=some.count(None), shortened=shortened, longest=longest)


def plain(pool):
    return [(s.id, list(s.ids), s.start) for s in pool]


@given(rows=rows, cuts=st.lists(st.integers(0, 12), max_size=4))
@settings(max_examples=60, deadline=None)
def test_an_entry_is_the_same_however_its_samples_come(tmp_path_factory, rows, cuts):
    edges = [0, *sorted(cuts), len(rows)]
    parts = [preparation(rows[a:b], shortened=1) for a, b in pairwise(edges)]
    folder, whole = (cache_folder() / tmp_path_factory.mktemp("key").name for _ in range(2))
    for entry, given_parts in ((folder, parts), (whole, [preparation(rows, shortened=len(parts))])):
        entry.mkdir(parents=True)
        write(given_parts, entry, "texts")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in whole.iterdir()
    }
    in_memory = PreparedPool.of(parts, "texts")
    found = find(folder.name, "texts")
    assert plain(found) == plain(in_memory)
    assert found.amounts == in_memory.amounts


def test_what_is_in_memory_does_not_grow_with_what_is_written(tmp_path):
    ids = array("i", range(500))

    def parts(count):
        for number in range(count):
            some = [Prepared(f"texts#{number}/{n}", ids, 1) for n in range(100)]
            yield Preparation(rows=some, dropped=0, shortened=0, longest=500)

    tracemalloc.start()
    try:
        amounts = write(parts(100), tmp_path, "texts")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert amounts.tokens == 5_000_000
    assert (tmp_path / "tokens").stat().st_size == 20_000_000
    assert peak < 2 << 20


def test_there_is_no_manifest_before_all_samples_are_there(tmp_path):
    def parts():
        yield preparation([Prepared("texts#1", (1,), 1)])
        assert not (tmp_path / MANIFEST).exists()

    write(parts(), tmp_path, "texts")
    assert (tmp_path / MANIFEST).exists()


def test_what_is_little_is_read_once_and_what_is_much_again_and_again():
    begun = []

    def make():
        begun.append(1)
        yield from range(10)

    little, much = Again(make, lambda _: 1, 10), Again(make, lambda _: 1, 9)
    for items in (little, much):
        assert [list(items) for _ in range(3)] == [list(range(10))] * 3
    assert (little.kept, much.kept, len(begun)) == (list(range(10)), None, 4)


def test_what_was_not_read_to_its_end_is_not_kept():
    items = Again(lambda: iter(range(10)), lambda _: 1, 10)
    assert next(iter(items)) == 0
    assert items.kept is None
    assert list(items) == list(range(10))
