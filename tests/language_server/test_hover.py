from __future__ import annotations

import pytest
from lsprotocol import types as lsp


@pytest.fixture(scope="module")
def hover(editor, shared, small):
    uri = editor.write(shared / "hover.sdn", small)
    assert editor.findings(uri) == []

    def ask(place: str) -> str | None:
        document, position = editor.at(uri, small, place)
        found = editor.do(editor.client.text_document_hover_async(lsp.HoverParams(document, position)))
        return found.contents.value if found else None

    yield ask
    editor.close(uri)


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("learning_¦rate: 1e-3", ["**learning_rate**: number > 0", "default `0.0002`", "option of `lora_sft`", "Here `0.001`", "hover.sdn:31"]),
        ("batch_¦size: 4", ["**batch_size**: whole number", "Here `4`"]),
        ("default_pro¦file", ["**default_profile**: text", "the overlay", "Here `작은`"]),
        ("ret¦ain |task", ["**retain**", "what the phase may not lose"]),
        ("retain |task, ri¦se", ["**rise**", "the largest relative rise"]),
        ("use: embed¦ded", ["**embedded** (model", "Options:", "`architecture`"]),
        ("mix |data, template|\n            문장.train, 묻¦기", ["**묻기** (template)", "prompt: 😀 {text}"]),
        ("문장.validation, plain_¦text", ["**plain_text** (template, of the plugin"]),
        ("plain_text, perp¦lexity", ["**perplexity** (metric"]),
        ("            한국¦어, merge", ["**한국어** (adapter)", "r: 4", "lora: low-rank"]),
        ("            문¦장.train, plain", ["**문장** (data)", "path: rows.jsonl"]),
        ("task: 유창¦성", ["**유창성** (task)", "metric: perplexity"]),
        ("    한국¦어: {use", ["**한국어** (adapter)"]),
        ("after: 첫¦째", ["**첫째** (phase)"]),
        ("< 3 and rec¦all", ["**recall** (task)"]),
        ("monitor: rec¦all", ["**recall** (task)"]),
        ("path: rows¦.jsonl", ["**path**: text", "option of `jsonl`"]),
        ("spli¦t: 0.5", ["**split**", "shares of the parts"]),
    ],
)  # fmt: skip
def test_what_is_told(hover, small, place, shown):
    text = hover(place)
    assert text is not None
    assert [part for part in shown if part not in text] == []


def test_a_value_tells_every_layer_that_set_it(hover):
    text = hover("{use: lora, ¦r: 8")
    assert text is not None
    assert "Here `4`" in text
    assert text.index("hover.sdn:4: `8` (overridden)") < text.index("(profile 작은): `4`")


def test_what_like_copies_is_told_with_the_block_it_comes_from(hover):
    assert "use: lora" in hover("            ter¦ms, train")


@pytest.mark.parametrize("place", ['de¦scription: "r is', "r: 8, target_modules: all-line¦ar"])
def test_a_value_without_a_name_tells_of_its_key(hover, place):
    assert hover(place).startswith("**")


@pytest.mark.parametrize("place", ["작은:\n        adap¦ters"])
def test_keys_of_a_profile_are_those_of_a_recipe(hover, place):
    assert hover(place).startswith("**adapters**: block")


def test_the_range_is_that_of_the_word_in_utf16(editor, folder, small):
    text = small.replace("{prompt:", '{completion: "😀", prompt:').replace(', completion: "{text}"}', "}")
    uri = editor.write(folder / "range.sdn", text)
    document, position = editor.at(uri, text, '"😀", pro¦mpt')
    found = editor.do(editor.client.text_document_hover_async(lsp.HoverParams(document, position)))
    assert (found.range.start.character, found.range.end.character) == (27, 33)
    editor.close(uri)


def test_a_value_of_an_older_text_is_not_told(editor, folder, small):
    uri = editor.write(folder / "old.sdn", small)
    editor.findings(uri)
    text = small.replace("learning_rate: 1e-3", "learning_rate: 5e-3")
    editor.write(folder / "old.sdn", text)
    document, position = editor.at(uri, text, "learning_¦rate")
    found = editor.do(editor.client.text_document_hover_async(lsp.HoverParams(document, position)))
    assert "highest learning rate" in found.contents.value
    assert "Here" not in found.contents.value
    editor.close(uri)
