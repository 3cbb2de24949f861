"""Preparing some samples at a time: the same rows, and faults counted over all of them."""

from __future__ import annotations

import pytest

from medrecipe_plugins.trainers import _encoded
from medrecipe_plugins.trainers.trainer import HuggingFaceTrainer, Options
from pipeline_dsl.api import DataError, GuardError, Sample


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(_encoded, "_SAMPLES", 3)


@pytest.fixture
def at_once(handle):
    """A handle that encodes many samples at once and remembers how many."""

    class AtOnce(handle):
        asked = ()

        def encode_all(self, samples):
            self.asked = (*self.asked, len(samples))
            return [self.encode(sample) for sample in samples]

    return AtOnce


def corpus(size, long=()):
    return [
        Sample(prompt="q" * (60 if n in long else 2), completion=f"a{n}", id=f"row:{n}") for n in range(size)
    ]


def plain(rows):
    return [row and (row.id, list(row.ids), row.start) for row in rows]


@pytest.mark.parametrize("overflow", ["drop", "truncate_prompt"])
def test_chunks_come_to_what_all_at_once_comes_to(llama, handle, at_once, overflow):
    trainer, module = HuggingFaceTrainer(Options(max_length=20, overflow=overflow)), llama()
    samples = corpus(11, long=(0, 4, 10))
    whole = trainer.prepare(handle(module), samples)
    for model in (handle(module), at_once(module)):
        parts = list(trainer.prepare_all(model, iter(samples)))
        assert [len(part.rows) for part in parts] == [3, 3, 3, 2]
        assert plain(row for part in parts for row in part.rows) == plain(whole.rows)
        assert sum(part.dropped for part in parts) == whole.dropped
        assert sum(part.shortened for part in parts) == whole.shortened
        assert max(part.longest for part in parts) == whole.longest


def test_a_model_that_encodes_many_at_once_is_asked_chunk_by_chunk(llama, at_once):
    model = at_once(llama())
    list(HuggingFaceTrainer(Options()).prepare_all(model, corpus(7)))
    assert model.asked == (3, 3, 1)


def test_no_more_than_two_chunks_are_read_ahead(llama, at_once):
    read = 0

    def reading():
        nonlocal read
        for sample in corpus(30):
            read += 1
            yield sample

    next(HuggingFaceTrainer(Options()).prepare_all(at_once(llama()), reading()))
    assert read <= 2 * 3


def test_faults_are_counted_over_all_chunks(llama, at_once):
    trainer = HuggingFaceTrainer(Options(max_length=20))
    with pytest.raises(DataError) as caught:
        list(trainer.prepare_all(at_once(llama()), corpus(11, long=(0, 4, 5, 6, 10))))
    assert caught.value.message == "5 of 11 samples are longer than 20 tokens"
    assert caught.value.place == "row:0, row:4, row:5 and 2 more"


def test_what_says_most_about_the_cause_is_told_wherever_it_is(llama, at_once):
    samples = [*corpus(9, long=(0,)), Sample(prompt="q", completion="", id="empty")]
    with pytest.raises(GuardError) as caught:
        list(HuggingFaceTrainer(Options(max_length=20)).prepare_all(at_once(llama()), samples))
    assert (caught.value.code, caught.value.message) == ("MR493", "1 of 10 samples have no token to learn")


def test_a_chunk_has_a_bounded_text(monkeypatch):
    monkeypatch.setattr(_encoded, "_SAMPLES", 100)
    monkeypatch.setattr(_encoded, "_CHARACTERS", 50)
    sizes = [len(chunk) for chunk in _encoded.chunks_of(corpus(6, long=(2,)))]
    assert sizes == [3, 3]
