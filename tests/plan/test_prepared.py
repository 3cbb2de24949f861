"""Prepared data: what it is kept under, and that it comes back as it was."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_dsl.api import ModelIdentity, Preparation, Prepared
from pipeline_dsl.plan import prepared
from pipeline_dsl.plan.estimate import ANEW, REUSED, UNKNOWN, estimate
from pipeline_dsl.plan.prepared import Amounts, DamagedError, PreparedPool, cache_folder, find, key_of
from pipeline_dsl.plan.shards import write

TRAINER = SimpleNamespace(preparation=lambda: {"max_length": 64})
BASE = ModelIdentity(
    name="base", revision="", weights_sha256="a" * 64, tokenizer_sha256="b" * 64, chat_template_sha256="",
    architecture="gemma3",
)  # fmt: skip


def key(plan, trainer=TRAINER, phase="one", **entry):
    planned = plan.phase(phase)
    return key_of(plan, replace(planned.mix[0], **entry), planned.train, trainer)


@pytest.fixture
def same(desk):
    """Whether a change leaves the key of the first phase's texts as it was."""
    before = key(desk.plan())

    def check(text=None, *, trainer=TRAINER, base=BASE, entry=None, **choices):
        plan = desk.plan(text, base=base, **choices) if text else desk.plan(base=base, **choices)
        return key(plan, trainer, **(entry or {})) == before

    return check


def test_nothing_changed_gives_the_same_key(same):
    assert same()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("texts: {use: jsonl, path: texts.jsonl}", "texts: {use: jsonl, path: texts.jsonl, limit: 5}"),
        ("texts: {use: jsonl", "texts: {pii: deny, use: jsonl"),
    ],
)
def test_another_meaning_of_the_data_gives_another_key(same, recipe, old, new):
    assert old in recipe
    assert not same(recipe.replace(old, new))


def test_what_the_template_makes_counts_and_its_options_by_that_alone(desk):
    plan = desk.plan()
    template = plan.phase("one").mix[0].template
    assert key(plan, template=replace(template, content="other")) != key(plan)
    assert key(plan, template=replace(template, version="2")) != key(plan)
    assert key(plan, template=replace(template, options={"file": "else"})) == key(plan)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed: 7", "seed: 8"),
        ("recipe: sample", "recipe: other"),
        ("epochs: 1", "epochs: 2"),
        ("r: 2", "r: 8"),
        ("texts, plain_text, 1", "texts, plain_text, 5"),
    ],
)
def test_what_shapes_no_sample_does_not_count(same, recipe, old, new):
    assert same(recipe.replace(old, new))


def test_neither_the_path_nor_the_name_of_the_data_counts(same, desk, recipe):
    (desk.folder / "else").mkdir()
    (desk.folder / "texts.jsonl").rename(desk.folder / "else" / "moved.jsonl")
    moved = recipe.replace("path: texts.jsonl", "path: else/moved.jsonl")
    assert same(moved)
    renamed = moved.replace("    texts: {", "    letters: {").replace(
        "texts, plain_text", "letters, plain_text"
    )
    assert same(renamed)


def test_the_content_of_the_data_counts(same, desk):
    desk.rows("texts.jsonl", [{"text": "something else"}])
    assert not same()


@pytest.mark.parametrize(
    "field", ["tokenizer_sha256", "chat_template_sha256", "weights_sha256", "architecture"]
)
def test_the_base_counts(same, field):
    assert not same(base=replace(BASE, **{field: "c" * 64}))


@pytest.mark.parametrize("field", ["name", "revision", "quantisation"])
def test_what_a_base_is_called_and_how_it_is_held_does_not_count(same, field):
    assert same(base=replace(BASE, **{field: "other"}))


def test_the_trainers_options_for_samples_count(same):
    assert not same(trainer=SimpleNamespace(preparation=lambda: {"max_length": 65}))


def test_the_number_of_rows_counts_however_it_is_said(same, desk):
    assert not same(max_samples=3)
    plan = desk.plan(max_samples=3)
    assert key(plan) == key(plan, limit=3) == key(desk.plan(), limit=3) != key(plan, limit=2)


def test_there_is_no_key_before_the_base_is_known_or_for_what_is_streamed_or_has_no_files(desk):
    plan = desk.plan()
    texts = plan.data["texts"]
    streamed = replace(texts, view=replace(texts.view, streaming=True))
    assert key(replace(plan, base=None)) is None
    assert key(replace(plan, data={**plan.data, "texts": streamed})) is None
    assert key(replace(plan, data={**plan.data, "texts": replace(texts, files=())})) is None
    assert key(replace(plan, data={**plan.data, "texts": replace(texts, here=False)})) is None


rows = st.builds(
    Prepared,
    st.text(max_size=6).map("texts".__add__) | st.text(alphabet="abc/#", max_size=4),
    st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9).map(tuple),
    st.integers(1, 3),
)


@given(rows=st.lists(st.none() | rows, max_size=12))
@settings(max_examples=40, deadline=None)
def test_samples_come_back_as_they_were(tmp_path_factory, rows):
    preparation = Preparation(rows=rows, dropped=rows.count(None), shortened=1, longest=9)
    kept = [row for row in rows if row is not None]
    made = PreparedPool.of([preparation], "texts")
    folder = cache_folder() / tmp_path_factory.mktemp("key").name
    folder.mkdir(parents=True)
    write([preparation], folder, "texts")
    found = find(folder.name, "texts")
    for pool in (made, found):
        assert [(s.id, tuple(s.ids), s.start) for s in pool] == [(s.id, s.ids, s.start) for s in kept]
        assert pool.amounts == Amounts(
            samples=len(kept), tokens=sum(len(s.ids) for s in kept), dropped=rows.count(None), shortened=1,
            longest=9,
        )  # fmt: skip


KEPT = [Prepared("texts#1", (5, 6, 1), 1), Prepared("texts/x", (7, 1), 1)]
PREPARATION = Preparation(rows=KEPT, dropped=0, shortened=0, longest=3)


@pytest.fixture
def pool():
    return PreparedPool.of([PREPARATION], "texts")


def test_rows_are_called_by_the_name_that_the_data_has_now():
    (cache_folder() / "k").mkdir(parents=True)
    write([PREPARATION], cache_folder() / "k", "texts")
    assert [sample.id for sample in find("k", "letters")] == ["letters#1", "letters/x"]


def test_a_pool_is_a_sequence(pool):
    assert [sample.id for sample in pool[:1]] == ["texts#1"]
    assert pool[-1].id == "texts/x"
    with pytest.raises(IndexError):
        pool[2]


@pytest.mark.parametrize("damage", ["flip", "cut", "lost", "manifest", "no manifest"])
def test_an_entry_that_is_not_whole_is_never_used(damage):
    folder = cache_folder() / "k"
    folder.mkdir(parents=True)
    write([PREPARATION], folder, "texts")
    tokens, manifest = folder / "tokens", folder / prepared.MANIFEST
    if damage == "flip":
        tokens.write_bytes(bytes([tokens.read_bytes()[0] ^ 1]) + tokens.read_bytes()[1:])
    elif damage == "cut":
        tokens.write_bytes(tokens.read_bytes()[:-4])
    elif damage == "lost":
        tokens.unlink()
    elif damage == "manifest":
        manifest.write_text("{")
    else:
        manifest.unlink()
    with pytest.raises(DamagedError):
        find("k", "texts")


def test_what_is_not_kept_is_not_found():
    assert find("k", "texts") is None


def test_an_estimate_says_what_becomes_of_prepared_data_and_counts_from_it(desk, installed, monkeypatch):
    from medrecipe_plugins.models.embedded import Embedded

    monkeypatch.setattr(Embedded, "identity", lambda *_: BASE)
    monkeypatch.setattr(Embedded, "count_tokens", lambda _, samples: 100 * len(samples))
    plan = desk.plan()

    def row(plan):
        known = estimate(plan, installed, lambda _: None).phase("one").estimate
        return known.prepared, known.samples, known.tokens

    assert row(plan) == ((ANEW,), 6, 600)
    trainer = installed_trainer(installed, plan)
    known = [Prepared("texts#1", (5, 6, 1), 1), None, Prepared("texts#3", (7, 1), 1)]
    folder = cache_folder() / key(replace(plan, device="cpu"), trainer)
    folder.mkdir(parents=True)
    write([Preparation(rows=known, dropped=1, shortened=0, longest=3)], folder, "texts")
    assert row(plan) == ((REUSED,), 2, 5)
    (folder / "tokens").write_bytes(b"")
    assert row(plan) == ((ANEW,), 6, 600)


def test_an_estimate_before_the_base_is_here_knows_nothing_of_prepared_data(desk, installed):
    known = estimate(desk.plan(base=None), installed, lambda _: None).phase("two").estimate
    assert known.prepared == (UNKNOWN, UNKNOWN)
    assert known.samples == 5


def installed_trainer(catalog, plan):
    from pipeline_dsl.plan.choose import make

    return make(catalog, plan.phase("one").train)
