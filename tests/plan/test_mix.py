from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_dsl.api import DataError, Sample
from pipeline_dsl.plan.mix import PhaseSamples, Pool, render, row_id


def phase_samples(plan, phase, catalog) -> PhaseSamples[Sample]:
    """The samples of a phase's mix, not prepared."""
    pools = [
        Pool(samples=render(plan, m.data, m.template, m.limit, catalog), weight=m.weight, repeat=m.repeat)
        for m in phase.mix
    ]
    return PhaseSamples(pools=tuple(pools), seed=phase.seed)


def pool(name: str, count: int, weight: float) -> Pool[Sample]:
    samples = tuple(Sample(prompt="", completion=f"{name}{n}", id=f"{name}{n}") for n in range(count))
    return Pool(samples=samples, weight=weight)


def ids(samples) -> list[str]:
    return [s.id for s in samples]


pools = st.lists(st.tuples(st.integers(1, 40), st.floats(0.01, 1.0)), min_size=1, max_size=4).map(
    lambda parts: tuple(pool("abcd"[n], count, weight) for n, (count, weight) in enumerate(parts))
)


@given(pools=pools, seed=st.integers(0, 2**31), epoch=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_an_epoch_is_a_pure_function_of_seed_and_number(pools, seed, epoch):
    one, other = PhaseSamples(pools=pools, seed=seed), PhaseSamples(pools=pools, seed=seed)
    for before in range(min(epoch, 3)):
        other.epoch(before)
    assert one.epoch(epoch) == other.epoch(epoch)
    assert len(one.epoch(epoch)) == len(one)


@given(pools=pools, seed=st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_an_epoch_is_one_pass_over_the_largest_share_and_the_others_in_proportion(pools, seed):
    samples = PhaseSamples(pools=pools, seed=seed)
    counts = Counter(i[0] for i in ids(samples.epoch(0)))
    main = max(pools, key=lambda p: p.weight)
    first = main.samples[0].id[0]
    assert sorted(i for i in ids(samples.epoch(0)) if i[0] == first) == sorted(ids(main.samples))
    for part in pools:
        name = part.samples[0].id[0]
        if part is not main:
            assert abs(counts[name] - max(1, len(main.samples) * part.weight / main.weight)) <= 0.5


def test_another_seed_gives_another_order():
    orders = {tuple(ids(PhaseSamples(pools=(pool("a", 20, 1),), seed=s).epoch(0))) for s in range(5)}
    assert len(orders) == 5


def test_epochs_differ_in_order():
    samples = PhaseSamples(pools=(pool("a", 20, 1),), seed=1)
    assert ids(samples.epoch(0)) != ids(samples.epoch(1))
    assert sorted(ids(samples.epoch(0))) == sorted(ids(samples.epoch(1)))


def test_a_replayed_source_goes_on_through_its_rows_from_epoch_to_epoch():
    samples = PhaseSamples(pools=(pool("a", 20, 0.8), pool("b", 10, 0.2)), seed=3)
    seen = [[i for i in ids(samples.epoch(e)) if i[0] == "b"] for e in range(4)]
    assert [len(part) for part in seen] == [5, 5, 5, 5]
    assert len(set(seen[0]) | set(seen[1])) == 10
    assert len(set(seen[2]) | set(seen[3])) == 10


def test_a_pass_ends_within_an_epoch_and_the_next_begins():
    samples = PhaseSamples(pools=(pool("a", 9, 0.75), pool("b", 2, 0.25)), seed=3)
    drawn = [i for e in range(4) for i in ids(samples.epoch(e)) if i[0] == "b"]
    assert Counter(drawn) == {"b0": 6, "b1": 6}


def test_a_small_share_of_a_small_source_is_seen_at_all():
    samples = PhaseSamples(pools=(pool("a", 3, 0.99), pool("b", 5, 0.01)), seed=0)
    assert Counter(i[0] for i in ids(samples.epoch(0))) == {"a": 3, "b": 1}


def test_the_rows_of_a_recipe_become_samples(desk, installed):
    plan = desk.plan()
    samples = phase_samples(plan, plan.phase("two"), installed)
    assert len(samples) == 4 + 1
    assert Counter(s.id.partition("#")[0] for s in samples.epoch(0)) == {"terms": 4, "texts": 1}


def test_the_phases_seed_decides_the_order(desk, recipe, installed):
    plans = [desk.plan(recipe.replace("seed: 7", f"seed: {s}")) for s in (7, 7, 8)]
    one, same, other = (ids(phase_samples(p, p.phase("one"), installed).epoch(0)) for p in plans)
    assert one == same != other


def test_repeat_shows_a_source_several_times_an_epoch(desk, recipe, installed):
    text = recipe.replace(
        "mix |data, template, weight|\n            texts, plain_text, 1",
        "mix |data, template, weight, repeat|\n            texts, plain_text, 1, 3",
        1,
    )
    plan = desk.plan(text)
    counts = Counter(ids(phase_samples(plan, plan.phase("one"), installed).epoch(0)))
    assert set(counts.values()) == {3}
    assert len(counts) == 6


@pytest.mark.parametrize(
    ("limit", "bound", "expected"), [(3, None, 3), (None, 2, 2), (3, 2, 2), (2, 3, 2), (99, None, 6)]
)
def test_limits_bound_the_rows(desk, recipe, installed, limit, bound, expected):
    old = "mix |data, template, weight|\n            texts, plain_text, 1"
    new = f"mix |data, template, weight, limit|\n            texts, plain_text, 1, {limit or 'null'}"
    plan = desk.plan(recipe.replace(old, new, 1), max_samples=bound)
    assert len(phase_samples(plan, plan.phase("one"), installed)) == expected


def test_a_row_is_called_by_its_id_or_its_number():
    assert row_id({"id": "doctor_0341"}, "exam", 4) == "exam/doctor_0341"
    assert row_id({"id": ""}, "exam", 4) == row_id({"id": 7}, "exam", 4) == row_id({}, "exam", 4) == "exam#5"


def test_case_22_a_source_that_gives_no_sample_is_told_by_name(desk, installed, plugin):
    from types import SimpleNamespace

    from pipeline_dsl.api import Kind, Provider
    from pipeline_dsl.plan.model import ProviderRef
    from pipeline_dsl.registry import build_catalog, installed_plugins

    silent = SimpleNamespace(fields=(), render=lambda *_: (), text=lambda: "")
    template = Provider(name="silent", summary="nothing", factory=lambda _: silent)
    catalog = build_catalog(entries=[*installed_plugins(), plugin("mini", (Kind.TEMPLATE, template))])
    ref = ProviderRef(kind=Kind.TEMPLATE, name="silent", plugin="mini", version="1", options={})
    with pytest.raises(DataError, match="`texts` gives no sample"):
        render(desk.plan(), "texts", ref, None, catalog)
