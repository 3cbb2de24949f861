from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch

from pipeline_dsl.api import DataError, Message, Need, Prepared, Sample

WORDS = [
    "환자",
    "의사",
    "병원",
    "fever",
    "the",
    "patient",
    "약",
    "blood",
    "심장",
    "in",
    "a",
    "통증",
    "week",
    "good",
]


def samples(n: int = 16) -> list[Sample]:
    """Samples of very different lengths, with letters and longer texts to choose from."""
    draw = random.Random(7)
    made = []
    for i in range(n):
        prompt = " ".join(draw.choices(WORDS, k=draw.randint(1, 30))) + ":"
        choices = ("A", "B", "C") if i % 2 else (" 발열", " the heart", " 두통이 심하다")
        made.append(
            Sample(prompt=prompt, completion=" " + draw.choice(WORDS), choices=choices, id=f"row {i}")
        )
    return made


@pytest.mark.parametrize("need", list(Need))
def test_what_is_observed_does_not_depend_on_the_batch_size(tiny_model, need) -> None:
    tiny_model.token_budget = 1
    alone = tiny_model.observe(samples(), need, max_new_tokens=8)
    tiny_model.token_budget = 300
    together = tiny_model.observe(samples(), need, max_new_tokens=8)
    for one, other in zip(alone, together, strict=True):
        assert (one.sample, one.tokens, one.text, one.ended) == (
            other.sample,
            other.tokens,
            other.text,
            other.ended,
        )
        assert one.nll == pytest.approx(other.nll, abs=1e-4)
        assert one.choice_scores == pytest.approx(other.choice_scores, abs=1e-4)


def test_13_texts_do_not_depend_on_the_side_of_the_padding(tiny_model) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():  # a model whose next token hangs on every token before it
        for layer in tiny_model.module.model.layers.parameters():
            layer.add_(torch.randn(layer.shape, generator=generator) * 0.5)
    texts = []
    for budget in (1, 10_000):
        tiny_model.token_budget = budget
        texts.append([o.text for o in tiny_model.observe(samples(), Need.COMPLETIONS, max_new_tokens=6)])
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 12


def test_the_loss_of_a_completion_is_that_of_the_model(tiny_model) -> None:
    sample = Sample(prompt="the patient has", completion=" a fever")
    seen = tiny_model.observe([sample], Need.TOKEN_LOSSES)[0]
    ids, prompt = tiny_model.encode(sample)
    labels = torch.tensor([[-100] * prompt + ids[prompt:]])
    with torch.no_grad():
        loss = tiny_model.module(input_ids=torch.tensor([ids]), labels=labels).loss
    assert seen.tokens == len(ids) - prompt
    assert seen.nll / seen.tokens == pytest.approx(float(loss), abs=1e-5)


def test_plain_text_counts_every_token_after_the_beginning_mark(tiny_model) -> None:
    sample = Sample(prompt="", completion="환자는 회복하였다.")
    assert tiny_model.observe([sample], Need.TOKEN_LOSSES)[0].tokens == len(tiny_model.encode(sample)[0]) - 1


def test_letters_score_as_they_do_when_spelled_out_one_by_one(tiny_model) -> None:
    sample = Sample(prompt="answer:\n", completion="A", choices=("A", "B", "C", "D", "E"))
    fast = tiny_model.observe([sample], Need.CHOICES)[0].choice_scores
    slow = []
    for letter in sample.choices:
        ids = [
            *tiny_model.encode(sample)[0][: tiny_model.encode(sample)[1]],
            tiny_model.tokenizer.convert_tokens_to_ids(letter),
        ]
        with torch.no_grad():
            logits = tiny_model.module(input_ids=torch.tensor([ids])).logits[0, -2]
        slow.append(float(logits.log_softmax(-1)[ids[-1]]))
    assert fast == pytest.approx(slow, abs=1e-5)
    assert sum(2.718281828**s for s in fast) < 1


def test_letters_and_longer_choices_may_stand_in_one_call(tiny_model) -> None:
    both = tiny_model.observe(samples(4), Need.CHOICES)
    assert [len(o.choice_scores) for o in both] == [3, 3, 3, 3]
    assert both[0].choice_scores == pytest.approx(
        tiny_model.observe(samples(4)[:1], Need.CHOICES)[0].choice_scores, abs=1e-5
    )


def test_generation_is_greedy_and_that_of_transformers(tiny_model) -> None:
    sample = Sample(prompt="the patient has", completion="")
    seen = tiny_model.observe([sample], Need.COMPLETIONS, max_new_tokens=12)[0]
    ids = torch.tensor([tiny_model.tokenizer(sample.prompt).input_ids])
    out = tiny_model.module.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
    )
    assert seen.text == tiny_model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


def test_a_text_that_reaches_no_end_mark_says_so(tiny_model) -> None:
    tiny_model.ends = frozenset()
    seen = tiny_model.observe([Sample(prompt="the", completion="")], Need.COMPLETIONS, max_new_tokens=3)[0]
    assert not seen.ended


def test_an_end_mark_ends_a_text_and_is_not_in_it(tiny_model) -> None:
    first = tiny_model.observe([Sample(prompt="the", completion="")], Need.COMPLETIONS, max_new_tokens=1)[0]
    tiny_model.ends = frozenset(range(tiny_model.rows))
    seen = tiny_model.observe([Sample(prompt="the", completion="")], Need.COMPLETIONS, max_new_tokens=5)[0]
    assert first.text is not None
    assert (seen.text, seen.ended) == ("", True)


def test_chat_turns_are_prompts_too(tiny_model) -> None:
    chat = Sample(
        prompt="", messages=(Message(role="user", content="fever?"),), completion="A", choices=("A", "B")
    )
    assert len(tiny_model.observe([chat], Need.CHOICES)[0].choice_scores) == 2


def test_observing_leaves_modes_and_random_state_alone(tiny_model) -> None:
    tiny_model.module.train()
    tiny_model.module.model.norm.eval()
    before = torch.get_rng_state()
    for need in Need:
        tiny_model.observe(samples(3), need, max_new_tokens=3)
    assert tiny_model.module.training
    assert not tiny_model.module.model.norm.training
    assert tiny_model.module.model.layers[0].training
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_nothing_to_observe_is_nothing_observed(tiny_model) -> None:
    assert [tiny_model.observe([], need) for need in Need] == [[], [], []]


@pytest.mark.parametrize("need", list(Need))
def test_a_sample_longer_than_the_models_positions_is_refused_by_its_row(tiny_model, need) -> None:
    long = Sample(prompt="병원 " * 400, completion="A", choices=("A", "B"), id="train.jsonl:7")
    with pytest.raises(DataError, match="256 positions") as caught:
        tiny_model.observe([long], need)
    assert (caught.value.code, caught.value.place) == ("MR530", "train.jsonl:7")
    assert "병원" not in caught.value.message


def test_a_sample_without_choices_is_refused(tiny_model) -> None:
    with pytest.raises(DataError, match="no choices"):
        tiny_model.observe([Sample(prompt="a", completion="b")], Need.CHOICES)


def test_generation_stops_at_the_models_last_position(tiny_model) -> None:
    tiny_model.ends = frozenset()
    prompt = Sample(prompt="the " * 250, completion="")
    length = len(tiny_model.tokenizer(prompt.prompt).input_ids)
    assert length > 240
    seen = tiny_model.observe([prompt], Need.COMPLETIONS, max_new_tokens=64)[0]
    assert not seen.ended


def test_a_closed_model_holds_no_weights(tiny_model) -> None:
    tiny_model.close()
    assert tiny_model.module is None


def test_choices_that_begin_alike_rank_as_whole_continuations_do(tiny_model) -> None:
    """Scores of ``answer:\\nA`` … are those of whole sequences, less what all of them begin with."""
    prompt = "심장은 어디에 있는가?\n"
    letters = ("A", "B", "C", "D", "E")
    sample = Sample(prompt=prompt, completion="answer:\nA", choices=tuple(f"answer:\n{x}" for x in letters))
    (seen,) = tiny_model.observe([sample], Need.CHOICES)
    whole = [
        tiny_model.observe([Sample(prompt=prompt, completion=f"answer:\n{x}")], Need.TOKEN_LOSSES)[0]
        for x in letters
    ]
    ends = [  # the end mark after each letter, which choices do not count
        tiny_model.observe([Sample(prompt=f"{prompt}answer:\n{x}", completion="")], Need.TOKEN_LOSSES)[0]
        for x in letters
    ]
    expected = [e.nll - w.nll for w, e in zip(whole, ends, strict=True)]
    differences = [s - e for s, e in zip(seen.choice_scores, expected, strict=True)]
    assert differences == pytest.approx([differences[0]] * 5, abs=1e-3)


@pytest.mark.parametrize("need", [Need.TOKEN_LOSSES, Need.CHOICES])
@pytest.mark.parametrize("architecture", ["gemma3", "gemma3_multimodal", "llama", "phi3", "phi"])
def test_packs_show_what_padded_batches_show(tiny_folder_of, load_tiny, architecture, need) -> None:
    """Samples with one worked example before them, which packs compute once."""
    shots = "question: what pumps blood?\nanswer: the heart\n\n" * 3
    asked = [replace(s, prompt=shots + s.prompt) for s in samples(6)]
    model = load_tiny(tiny_folder_of(architecture))
    packed = model.observe(asked, need)
    assert model.packing([Prepared("0", [2, 5, 6], 1)]) is not None
    model._packs_agree = False
    padded = model.observe(asked, need)
    for one, other in zip(packed, padded, strict=True):
        assert (one.tokens, one.nll is None) == (other.tokens, other.nll is None)
        assert (one.nll or 0.0) == pytest.approx(other.nll or 0.0, rel=1e-5)
        assert one.choice_scores == pytest.approx(other.choice_scores, rel=1e-5)


def test_the_last_layer_computes_what_is_asked_for_alone(tiny_model) -> None:
    asked = [sample for sample in samples(12) if len(sample.choices[0]) == 1]
    tiny_model.observe(asked, Need.CHOICES)  # packs are held against the model's own forward here
    seen = []
    for layer in tiny_model.module.get_decoder().layers:
        first = next(layer.mlp.children())
        first.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].shape[-2]))
    tiny_model.observe(asked, Need.CHOICES)
    assert seen[-1] == len(asked) < seen[0]
