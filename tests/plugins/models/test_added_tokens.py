"""Tokens that a recipe adds: which are refused, how their rows begin, what else they leave as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from medrecipe_plugins.models import _encoding, _extension
from medrecipe_plugins.models.causal_lm import CausalLM, Options
from medrecipe_plugins.models.embedded import Embedded
from medrecipe_plugins.models.embedded import Options as EmbeddedOptions
from pipeline_dsl.api import LoadRequest, ModelError, Sample

TOKENS = ("심근경색증", "췌장염증", "hepatomegaly", "급성신부전")
ARCHITECTURES = ["gemma3", "llama", "untied llama", "phi3", "phi"]


def model_of(folder: Path, **options) -> CausalLM:
    return CausalLM(options=Options(**({"folder": str(folder), "dtype": "float32"} | options)))


def loaded(folder: Path, **options):
    return model_of(folder, **options).load(LoadRequest(device="cpu", seed=1))


def pieces_of(folder: Path, text: str) -> list[int]:
    return AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False).input_ids


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_new_row_is_the_mean_of_its_old_pieces_in_embeddings_and_head(folder_of, architecture) -> None:
    folder = folder_of(architecture)
    plain, model = loaded(folder), loaded(folder, add_tokens=TOKENS)
    before, after = tables(plain.module), tables(model.module)
    assert len(before) == {"phi": 3, "untied llama": 2}.get(architecture, 1)
    for old, new in zip(before, after, strict=True):
        assert torch.equal(new[: len(plain.tokenizer)], old[: len(plain.tokenizer)])
        for i, token in model.new_tokens.items():
            mean = sum(old[piece].double() for piece in pieces_of(folder, token)) / len(
                pieces_of(folder, token)
            )
            assert torch.allclose(new[i].double(), mean, atol=1e-7)


def tables(module) -> list[torch.Tensor]:
    inputs, output = module.get_input_embeddings(), module.get_output_embeddings()
    found = [inputs.weight.detach()]
    if output.weight is not inputs.weight:
        found += [p.detach() for p in (output.weight, output.bias) if p is not None]
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_text_without_added_tokens_is_computed_as_before(folder_of, architecture) -> None:
    folder = folder_of(architecture)
    plain, model = loaded(folder), loaded(folder, add_tokens=TOKENS)
    ids = torch.tensor([pieces_of(folder, "고혈압은 heart 병이다.")])
    with torch.no_grad():
        before, after = plain.module(input_ids=ids).logits, model.module(input_ids=ids).logits
    assert torch.allclose(after[..., : before.shape[-1]], before, atol=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_shape_counts_the_new_rows_as_the_loaded_model_has_them(folder_of, architecture) -> None:
    folder = folder_of(architecture)
    shape = model_of(folder, add_tokens=TOKENS).shape()
    model = loaded(folder, add_tokens=TOKENS)
    assert shape.parameters == sum(p.numel() for p in model.module.parameters())
    assert shape.vocabulary == model.module.get_input_embeddings().num_embeddings == model.rows
    assert model.module.config.get_text_config().vocab_size == model.rows
    rows = shape.new_rows
    heads = {"phi": "biased", "untied llama": "own"}
    assert (rows.tokens, rows.width, rows.head) == (len(TOKENS), 64, heads.get(architecture, "tied"))
    assert model_of(folder).shape().new_rows is None


def test_an_embedded_model_that_is_not_built_has_the_shape_that_it_will_have(tmp_path) -> None:
    options = {"layers": 1, "width": 32, "heads": 2, "kv_heads": 1, "mlp_width": 32, "vocabulary": 330}
    model = Embedded(
        options=EmbeddedOptions(**options, pretraining_steps=0, cache=str(tmp_path), add_tokens=TOKENS)
    )
    before = model.shape()
    model.prepare(lambda _: None)
    assert model.shape() == before
    assert model.load(LoadRequest(device="cpu", seed=0)).rows == before.vocabulary


def test_unused_rows_are_used_before_new_ones_are_made(folder_of, tmp_path) -> None:
    folder = folder_of("llama")
    spare = 6
    module = AutoModelForCausalLM.from_pretrained(folder)
    rows = module.get_input_embeddings().num_embeddings
    module.resize_token_embeddings(rows + spare, mean_resizing=False)
    module.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    model = loaded(tmp_path, add_tokens=TOKENS)
    assert model.rows == rows + spare
    assert list(model.new_tokens) == [rows + i for i in range(len(TOKENS))]


def test_a_published_shape_is_counted_with_the_new_rows_as_well() -> None:
    name = "google/medgemma-4b-it"
    plain, more = (
        CausalLM(options=Options(name=name, revision="not-here", offline=True, add_tokens=tokens)).shape()
        for tokens in ((), TOKENS)
    )
    assert more.parameters - plain.parameters == len(TOKENS) * 2560
    assert (more.new_rows.width, more.new_rows.head) == (2560, "tied")


def test_tokens_are_found_inside_words_and_come_back_as_text(folder_of) -> None:
    model = loaded(folder_of("gemma3"), add_tokens=TOKENS)
    text = "그는 심근경색증으로, 췌장염증은 hepatomegaly급성신부전."
    ids = model.tokenizer(text, add_special_tokens=False).input_ids
    assert [i for i in ids if i in model.new_tokens] == list(model.new_tokens)
    assert model.tokenizer.decode(ids, skip_special_tokens=True) == text


def test_decomposed_hangul_is_the_same_token(folder_of) -> None:
    import unicodedata

    decomposed = tuple(unicodedata.normalize("NFD", token) for token in TOKENS)
    model = model_of(folder_of("gemma3"), add_tokens=decomposed)
    assert model.load(LoadRequest(device="cpu", seed=1)).new_tokens == (
        loaded(folder_of("gemma3"), add_tokens=TOKENS).new_tokens
    )


def test_a_file_has_one_token_a_line_after_those_of_the_list(folder_of, tmp_path) -> None:
    (tmp_path / "tokens.txt").write_bytes(("\ufeff" + "\r\n".join(TOKENS[1:]) + "\n").encode())
    both = {"add_tokens": TOKENS[:1], "add_tokens_from": str(tmp_path / "tokens.txt")}
    assert tuple(loaded(folder_of("gemma3"), **both).new_tokens.values()) == TOKENS


def test_the_identity_changes_with_the_tokens_and_their_order(folder_of, tmp_path) -> None:
    folder = folder_of("gemma3")
    (tmp_path / "tokens.txt").write_text("\n".join(TOKENS), encoding="utf-8")
    hashes = [
        model_of(folder, **options).identity("cpu").tokenizer_sha256
        for options in (
            {},
            {"add_tokens": TOKENS},
            {"add_tokens": TOKENS[::-1]},
            {"add_tokens": TOKENS[:2]},
            {"add_tokens_from": str(tmp_path / "tokens.txt")},
        )
    ]
    assert len(set(hashes[:4])) == 4
    assert hashes[4] == hashes[1]
    weights = {model_of(folder, add_tokens=t).identity("cpu").weights_sha256 for t in ((), TOKENS)}
    assert len(weights) == 1


@pytest.mark.parametrize(
    ("tokens", "why"),
    [
        (["심근", ""], "is empty"),
        (["심근", "심 근"], "white space"),
        (["심근\n"], "white space"),
        (["심\u200b근"], "do not show"),
        (["\u2581심근"], "white space"),
        (["<심근>"], "looks like a mark"),
        (["[심근]"], "looks like a mark"),
        (["<|심근|>"], "looks like a mark"),
        (["심근", "심근"], "is there twice"),
        (["심근", "", " ", "심근"], "3 of 4"),
    ],
)
def test_what_cannot_be_a_token_is_refused_at_its_place(tokens, why) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        _extension.tokens_of(tokens, None)
    assert caught.value.code == "MR471"
    assert f"added token {min(len(tokens), 2)} " in caught.value.message
    assert caught.value.place == "add_tokens"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", "심근\n\n경색".encode()])
def test_a_token_file_that_cannot_be_read_is_refused(tmp_path, content) -> None:
    path = tmp_path / "tokens.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        model_of(tmp_path, add_tokens_from=str(path)).prepare(lambda _: None)
    assert caught.value.code == "MR471"
    assert caught.value.place.startswith(str(path))


@pytest.mark.parametrize("token", ["a", ".", "은", "is", "x<eos>y"])
def test_a_token_that_the_vocabulary_has_is_refused(folder_of, token) -> None:
    with pytest.raises(ModelError, match="1 of 2 added tokens are in the vocabulary") as caught:
        loaded(folder_of("gemma3"), add_tokens=("심근경색증", token))
    assert caught.value.code == "MR471"


def test_a_tokenizer_that_gives_a_token_back_as_other_text_is_refused(folder_of) -> None:
    with pytest.raises(ModelError, match="cannot take added tokens") as caught:
        loaded(folder_of("gemma3"), add_tokens=("심근경색증", "édème"))
    assert caught.value.code == "MR472"
    assert "심근" not in str(caught.value)


def test_ids_that_a_model_reads_as_images_are_not_given_to_tokens(tiny_folder_of) -> None:
    with pytest.raises(ModelError, match="do not fit into the vocabulary") as caught:
        loaded(tiny_folder_of("gemma3_multimodal"), add_tokens=TOKENS)
    assert caught.value.code == "MR472"


def test_marks_are_found_beside_added_tokens_that_are_called_alike(folder_of) -> None:
    plain = loaded(folder_of("gemma3"))
    model = loaded(folder_of("gemma3"), add_tokens=("unusedpadreserved", *TOKENS))
    assert model.marks == plain.marks
    model.tokenizer.pad_token = None
    assert _encoding.marks_of(model.tokenizer, "x").pad != next(iter(model.new_tokens))


def test_fertility_is_counted_with_and_without_the_added_tokens(folder_of) -> None:
    samples = [Sample(prompt="급성신부전: ", completion="심근경색증"), Sample(prompt="", completion="a b")]
    folder = folder_of("gemma3")
    known = model_of(folder, add_tokens=TOKENS).fertility(samples)
    texts = ["급성신부전: ", "심근경색증", "a b"]
    assert known.characters == sum(map(len, texts))
    assert known.tokens_before == sum(len(pieces_of(folder, text)) for text in texts)
    saved = sum(len(pieces_of(folder, token)) - 1 for token in ("급성신부전", "심근경색증"))
    assert known.tokens == known.tokens_before - saved
    assert model_of(folder).fertility(samples) is None


def sentencepiece_like(*, prepend: bool) -> PreTrainedTokenizerFast:
    """A tokenizer with spaces as Gemma has them (``▁`` for each), or as Llama 2 had them: one before the text."""
    space = normalizers.Replace(" ", "▁")
    own = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    own.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), space]) if prepend else space
    stripped = [decoders.Strip(" ", 1, 0)] if prepend else []
    own.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *stripped]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<unk>", "<eos>"],
        initial_alphabet=[chr(c) for c in range(33, 127)],
        show_progress=False,
    )
    own.train_from_iterator(["심장 근육 경색 증상 가 은 급성 신부 전 췌장 염증 hepato megaly"] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=own, eos_token="<eos>", unk_token="<unk>")


def test_gemmas_way_with_spaces_takes_tokens_in_and_gives_text_back() -> None:
    tokenizer = sentencepiece_like(prepend=False)
    size = len(tokenizer)
    ids, pieces = _extension.extend(tokenizer, TOKENS, "x")
    assert list(ids) == [size + i for i in range(len(TOKENS))]
    assert all(max(old) < size for old in pieces)
    text = "급성 심근경색증은 췌장염증 가"
    found = tokenizer(text, add_special_tokens=False).input_ids
    assert [i for i in found if i in ids] == [ids[0], ids[1]]
    assert tokenizer.decode(found, clean_up_tokenization_spaces=False) == text


def test_a_tokenizer_that_would_put_spaces_beside_the_tokens_is_refused() -> None:
    with pytest.raises(ModelError, match="without changing other text") as caught:
        _extension.extend(sentencepiece_like(prepend=True), TOKENS, "x")
    assert caught.value.code == "MR472"
