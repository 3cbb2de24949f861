"""Guard rails: each test fails when its guard is taken out."""

import math

import pytest

from pipeline_dsl.api import Control, DataError, GuardError, Sample

SECRET = "환자의 비밀"
BEGIN, END, FIRST = 0, 1, 2


def _good(n=1):
    return Sample(prompt="q", completion="a", id=f"good:{n}")


def _refused(error, code, rows):
    assert error.code == code
    assert rows in error.place
    assert SECRET not in f"{error.message} {error.help} {error.place}"


@pytest.fixture
def encoding(handle):
    """A handle that encodes rows whose id begins with ``bad`` in another way."""

    def make(change):
        class Changed(handle):
            def encode(self, sample):
                ids, prompt = super().encode(sample)
                return change(ids, prompt) if sample.id.startswith("bad") else (ids, prompt)

        return Changed

    return make


BAD = Sample(prompt=SECRET, completion=SECRET, id="bad:1")


def test_a_sample_without_its_end_mark_is_refused(bench, llama, encoding):
    with pytest.raises(GuardError) as caught:
        bench.train(llama(), samples=[_good(), BAD], handle=encoding(lambda ids, prompt: (ids[:-1], prompt)))
    _refused(caught.value, "MR491", "bad:1")
    assert "50.0 %" in caught.value.message


def test_a_second_beginning_mark_is_refused(bench, llama, encoding):
    with pytest.raises(GuardError) as caught:
        bench.train(llama(), samples=[_good(), BAD], handle=encoding(lambda ids, p: ([BEGIN, *ids], p + 1)))
    _refused(caught.value, "MR492", "bad:1")


def test_a_sample_without_a_token_to_learn_is_refused(bench, llama):
    empty = Sample(prompt=SECRET, completion="", id="bad:1")
    with pytest.raises(GuardError) as caught:
        bench.train(llama(), samples=[_good(), empty])
    _refused(caught.value, "MR493", "bad:1")


def test_ids_past_the_embedding_rows_are_refused(bench, llama, encoding):
    with pytest.raises(GuardError) as caught:
        bench.train(
            llama(), samples=[_good(), BAD], handle=encoding(lambda ids, p: ([*ids[:-1], 999, END], p))
        )
    _refused(caught.value, "MR494", "bad:1")


def test_samples_past_the_models_positions_are_refused(bench, llama):
    long = Sample(prompt="q", completion="x" * 300, id="bad:1")
    with pytest.raises(GuardError) as caught:
        bench.train(llama(), samples=[_good(), long], max_length=512)
    _refused(caught.value, "MR496", "bad:1")


def test_padding_that_is_the_end_mark_hides_no_end_mark(bench, llama):
    short, long = Sample(prompt="q", completion="a", id="1"), Sample(prompt="q", completion="a" * 9, id="2")
    outcome, _ = bench.train(llama(), samples=[short, long], epochs=1.0)
    assert outcome.label_tokens == (1 + 1) + (9 + 1)


LONG = Sample(prompt="가" * 20, completion="answer", id="long:1")
"""60 bytes of prompt; 68 tokens with both marks."""


def test_an_overlong_sample_is_an_error_with_counts(bench, llama):
    with pytest.raises(DataError) as caught:
        bench.train(llama(), samples=[_good(), LONG], max_length=40)
    assert caught.value.code == "MR540"
    assert "1 of 2" in caught.value.message
    assert "68" in caught.value.help
    assert caught.value.place == "long:1"


def test_overlong_samples_can_be_dropped(bench, llama):
    prepared = bench.prepare(llama(), [_good(), LONG], max_length=40, overflow="drop")
    assert (prepared.dropped, prepared.shortened, prepared.longest) == (1, 0, 68)
    assert [row and row.id for row in prepared.rows] == ["good:1", None]
    outcome, _ = bench.train(llama(), samples=[_good(), LONG], max_length=40, overflow="drop", epochs=1.0)
    assert outcome.label_tokens == 2


def test_cutting_a_prompt_leaves_the_completion_and_the_beginning_mark(bench, llama):
    prepared = bench.prepare(llama(), [LONG], max_length=40, overflow="truncate_prompt")
    (row,) = prepared.rows
    assert (prepared.dropped, prepared.shortened, prepared.longest) == (0, 1, 68)
    assert (len(row.ids), row.ids[0], row.label_tokens) == (40, BEGIN, len("answer") + 1)


def test_cutting_takes_the_oldest_tokens_of_the_prompt():
    from medrecipe_plugins.trainers._samples import _shorten

    assert _shorten([BEGIN, 10, 11, 12, 20, END], 4, 2, BEGIN) == ([BEGIN, 12, 20, END], 2)
    assert _shorten([10, 11, 12, 20, END], 3, 2, BEGIN) == ([12, 20, END], 1)


def test_a_completion_is_never_cut(bench, llama):
    long = Sample(prompt="q", completion="x" * 60, id="long:1")
    with pytest.raises(DataError) as caught:
        bench.train(llama(), samples=[_good(), long], max_length=40, overflow="truncate_prompt")
    assert caught.value.code == "MR540"


def test_plain_text_is_learned_from_its_first_token_on(bench, llama):
    text = Sample(prompt="", completion="document", id="1")
    outcome, _ = bench.train(llama(), samples=[text], epochs=1.0)
    assert outcome.label_tokens == len("document") + 1


def test_all_tokens_after_the_first_can_be_learned(bench, llama):
    sample = Sample(prompt="question", completion="answer", id="1")
    outcome, _ = bench.train(llama(), samples=[sample], epochs=1.0, loss="all")
    assert outcome.label_tokens == len("question") + len("answer") + 1


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_training_before_the_weights_change(bench, llama, number):
    import torch

    module = llama()
    weight = module.get_input_embeddings().weight
    calm, kept = weight.detach().clone(), {}

    def fire(event):
        if event.name == "iteration_completed" and event.step == 2:
            kept.update({n: p.detach().clone() for n, p in module.named_parameters() if p.requires_grad})
            with torch.no_grad():
                weight.fill_(number)
            return Control(checkpoint=True)
        return Control()

    with pytest.raises(GuardError) as caught:
        bench.train(module, fire=fire)
    assert caught.value.code == "MR495"
    assert "loss" in caught.value.message
    assert "step 3" in caught.value.message
    assert all(torch.equal(p, kept[n]) for n, p in module.named_parameters() if n in kept)
    assert (bench.folder / "train" / "checkpoint-2" / "complete.json").is_file()
    assert not torch.equal(weight, calm)


def test_a_gradient_that_is_not_finite_ends_training_before_the_weights_change(bench, llama, same):
    module, untouched = llama(), llama()
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(GuardError) as caught:
        bench.train(module)
    assert "gradient" in caught.value.message
    assert same(module, untouched)


def test_weights_that_are_not_finite_are_never_saved(bench, llama):
    import torch

    module = llama()

    def fire(event):
        if event.name == "iteration_completed":
            with torch.no_grad():
                next(p for p in module.parameters() if p.requires_grad)[0, 0] = math.nan
        return Control(checkpoint=True)

    with pytest.raises(GuardError, match="a trained weight is not finite at step 1"):
        bench.train(module, fire=fire)
    assert not list((bench.folder / "train").glob("checkpoint-*/complete.json"))


def test_no_sample_at_all_is_an_error(bench, llama):
    with pytest.raises(DataError):
        bench.train(llama(), samples=[])
