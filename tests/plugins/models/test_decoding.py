"""Several texts written at once are what each is alone."""

from __future__ import annotations

import pytest
import torch

from pipeline_dsl.api import DataError, Generation, Message, ModelError, Need, Piece, Sample

ARCHITECTURES = ["gemma3", "gemma3_multimodal", "llama", "phi3", "phi"]
PROMPTS = ["word question:\nheart\n\nshort_answer:\n", "고혈압은", "The patient was given " * 6, "폐"]

DRAWN = {"max_new_tokens": 12, "temperature": 1.0, "seed": 5}
"""Untrained models repeat themselves greedily: drawn texts tell more."""


def request(id: str, prompt: str = PROMPTS[0], **options) -> Generation:
    return Generation(id=id, sample=Sample(prompt=prompt, completion=""), **(DRAWN | options))


def write(model, *requests: Generation) -> dict[str, list[Piece]]:
    decoder = model.decoder()
    for each in requests:
        decoder.add(each)
    found: dict[str, list[Piece]] = {each.id: [] for each in requests}
    while len(decoder):
        for piece in decoder.step():
            found[piece.id].append(piece)
    return found


def text(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_texts_that_are_written_together_are_those_that_are_written_alone(
    tiny_folder_of, load_tiny, architecture
):
    model = load_tiny(tiny_folder_of(architecture))
    requests = [request(str(n), prompt, max_new_tokens=4 + 5 * n) for n, prompt in enumerate(PROMPTS)]
    together = write(model, *requests)
    for each in requests:
        alone = write(model, each)[each.id]
        assert text(together[each.id]) == text(alone)
        assert together[each.id][-1].finish == alone[-1].finish
        assert together[each.id][-1].confidence == pytest.approx(alone[-1].confidence, rel=1e-4)


@pytest.mark.parametrize("architecture", ["gemma3", "phi"])
def test_texts_come_and_go_at_any_time(tiny_folder_of, load_tiny, architecture):
    model = load_tiny(tiny_folder_of(architecture))
    alone = {p: text(write(model, request("x", p, max_new_tokens=20))["x"]) for p in PROMPTS}
    decoder, found = model.decoder(), dict.fromkeys(PROMPTS, "")
    decoder.add(request("gone", "a text that nobody waits for", max_new_tokens=50))
    for turn in range(60):
        if turn % 3 == 0 and turn // 3 < len(PROMPTS):
            prompt = PROMPTS[turn // 3]
            decoder.add(request(prompt, prompt, max_new_tokens=20))
        if turn == 7:
            decoder.remove("gone")
        for piece in decoder.step():
            if piece.id != "gone":
                found[piece.id] += piece.text
            else:
                assert turn < 7
    assert len(decoder) == 0
    assert found == alone


def test_greedy_texts_are_those_of_evaluations(tiny_model):
    samples = [Sample(prompt=p, completion="x", id=p) for p in PROMPTS]
    seen = tiny_model.observe(samples, Need.COMPLETIONS, max_new_tokens=12)
    found = write(tiny_model, *(request(p, p, temperature=0.0) for p in PROMPTS))
    assert [o.text for o in seen] == [text(found[p]) for p in PROMPTS]


def test_greedy_texts_are_those_of_transformers(tiny_model):
    ids = tiny_model.tokenizer(PROMPTS[0], return_tensors="pt").input_ids
    made = tiny_model.module.generate(input_ids=ids, max_new_tokens=12, do_sample=False, pad_token_id=0)
    known = tiny_model.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
    assert text(write(tiny_model, request("x", temperature=0.0))["x"]) == known


def test_the_same_seed_draws_the_same_text_whatever_is_written_beside_it(tiny_model):
    drawn = request("x", temperature=1.0, top_p=0.9, seed=3)
    alone = text(write(tiny_model, drawn)["x"])
    beside = write(tiny_model, request("y", PROMPTS[2], temperature=1.0), drawn, request("z", PROMPTS[1]))
    assert text(beside["x"]) == alone
    others = {text(write(tiny_model, request("x", temperature=1.0, seed=seed))["x"]) for seed in range(5)}
    assert len(others) > 1


def test_sampling_follows_the_distribution_and_stays_in_the_nucleus():
    import random

    from medrecipe_plugins.models._sampling import next_token

    logits, draws = torch.tensor([0.5, 0.3, 0.15, 0.05]).log(), random.Random(1)
    found = [next_token(logits, temperature=1.0, top_p=1.0, random_=draws) for _ in range(4000)]
    shares = [found.count(i) / 4000 for i in range(4)]
    assert shares == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    found = [next_token(logits, temperature=1.0, top_p=0.75, random_=draws) for _ in range(500)]
    assert set(found) == {0, 1}
    assert {next_token(logits, temperature=1.0, top_p=0.01, random_=draws) for _ in range(50)} == {0}
    assert next_token(logits, temperature=0.0, top_p=1.0, random_=draws) == 0


def test_a_text_ends_at_the_most_tokens_or_where_the_model_has_no_place_left(tiny_model):
    pieces = write(tiny_model, request("x", max_new_tokens=3))["x"]
    assert (len(pieces), pieces[-1].tokens, pieces[-1].finish) == (3, 3, "length")
    long = "심장 " * 100
    used = len(tiny_model.tokenizer(long).input_ids)
    pieces = write(tiny_model, request("x", long[: len(long) * 250 // used], max_new_tokens=10_000))["x"]
    assert pieces[-1].finish in {"length", "stop"}
    assert pieces[-1].tokens < 30


def test_a_text_ends_at_a_stop_which_is_no_part_of_it(tiny_model):
    whole = text(write(tiny_model, request("x", max_new_tokens=12))["x"])
    stop = whole[3:5]
    pieces = write(tiny_model, request("x", max_new_tokens=12, stops=(stop,)))["x"]
    assert pieces[-1].finish == "stop"
    assert text(pieces) == whole[: whole.index(stop)]


def test_a_text_ends_at_an_end_mark(tiny_model):
    first = write(tiny_model, request("x"))["x"]
    ids = tiny_model.tokenizer(text(first), add_special_tokens=False).input_ids
    fresh = next(i for i, token in enumerate(ids) if token != ids[0])
    tiny_model.ends = frozenset({*tiny_model.ends, ids[fresh]})
    pieces = write(tiny_model, request("x"))["x"]
    assert (pieces[-1].finish, pieces[-1].tokens) == ("stop", fresh + 1)
    assert text(pieces) == tiny_model.tokenizer.decode(ids[:fresh])


def test_chat_turns_go_through_the_models_own_template(tiny_model):
    turns = (Message(role="user", content="열이 나요"),)
    sample = Sample(prompt="", completion="", messages=turns)
    decoder = tiny_model.decoder()
    rendered = tiny_model.tokenizer.apply_chat_template(
        [{"role": "user", "content": "열이 나요"}], add_generation_prompt=True, return_dict=False
    )
    assert decoder.add(Generation(id="x", sample=sample)) == len(rendered)


def test_a_prompt_that_leaves_no_room_is_refused(tiny_model):
    with pytest.raises(DataError) as error:
        tiny_model.decoder().add(request("x", "심장 " * 2000))
    assert error.value.code == "MR530"


def test_a_stack_that_is_not_on_the_model_is_refused(tiny_model):
    with pytest.raises(ModelError) as error:
        tiny_model.decoder().add(request("x", stack="nobody"))
    assert error.value.code == "MR469"


def test_texts_beyond_the_reach_of_a_length_dependent_embedding_are_written_alone(tiny_folder_of, load_tiny):
    """Such rotary embeddings change for a whole batch at once: short texts must not feel long neighbours."""
    model = load_tiny(tiny_folder_of("phi3"))
    half = model.module.config.hidden_size // model.module.config.num_attention_heads // 2
    rope = {
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 24,
        "short_factor": [1.0] * half, "long_factor": [4.0] * half, "partial_rotary_factor": 1.0,
    }  # fmt: skip
    config = model.module.config
    config.rope_parameters, config.original_max_position_embeddings = rope, 24
    from transformers import Phi3ForCausalLM

    scaled = Phi3ForCausalLM(config)
    scaled.load_state_dict(model.module.state_dict())
    model.module = scaled.eval()
    short, long = request("s", "폐", max_new_tokens=10), request("l", PROMPTS[2], max_new_tokens=10)
    together = write(model, short, long)
    assert text(together["s"]) == text(write(model, short)["s"])
    assert text(together["l"]) == text(write(model, long)["l"])
    crossing = request("c", PROMPTS[0], max_new_tokens=20, temperature=0.0)
    ids = model.tokenizer(PROMPTS[0], return_tensors="pt").input_ids
    assert ids.shape[1] < 24 < ids.shape[1] + 20
    known = model.module.generate(input_ids=ids, max_new_tokens=20, do_sample=False, pad_token_id=0)
    assert text(write(model, crossing)["c"]) == model.tokenizer.decode(
        known[0, ids.shape[1] :], skip_special_tokens=True
    )
