from __future__ import annotations

import pytest
from lsprotocol import types as lsp


@pytest.fixture(scope="module")
def complete(editor, shared, small):
    """What is proposed at ``¦`` in the small recipe after a change, before it has been checked again."""
    path = shared / "complete.sdn"
    uri = editor.write(path, small)
    editor.findings(uri)

    def ask(old: str, marked: str) -> list[lsp.CompletionItem]:
        assert small.count(old) >= 1
        text = small.replace(old, marked, 1)
        plain = text.replace("¦", "")
        editor.write(path, plain)
        before = text[: text.index("¦")]
        line = before.count("\n")
        head = before[before.rfind("\n") + 1 :]
        position = lsp.Position(line, len(head.encode("utf-16-le")) // 2)
        params = lsp.CompletionParams(lsp.TextDocumentIdentifier(uri), position)
        found = editor.do(editor.client.text_document_completion_async(params))
        return list(found)

    yield ask
    editor.close(uri)


CASES = [
    # what is replaced, by what, what has to be among the proposals, what must not
    ("recipe: small\n", "recipe: small\n¦\n", {"seed", "extends", "device"}, {"recipe", "train", "task"}),
    ("recipe: small\n", "recipe: small\nse¦\n", {"seed"}, {"recipe"}),
    ("        after: 첫째\n", "        a¦\n", {"after", "task", "seed"}, {"stack", "model"}),
    ("            learning_rate: 1e-3\n", "            ¦\n", {"epochs", "learning_rate", "use"}, {"stack"}),
    ("            learning_rate: 1e-3\n", "            learning_rate: 1e-3\n            gr¦\n", {"grad_accum"}, {"learning_rate"}),
    ("{max_steps: 7, batch", "{max_steps: 7, le¦, batch", {"learning_rate"}, {"max_steps", "batch_size"}),
    ("        alpha: 16\n", "        alpha: 16\n        ¦\n", {"r", "dropout", "use_rslora"}, {"alpha", "like"}),
    ("path: rows.jsonl, split", "¦, split", {"path", "columns", "filter", "pii"}, {"split", "use", "r"}),
    ("{use: early_stop, monitor: recall}", "{use: early_stop, ¦}", {"monitor", "patience", "mode"}, {"use"}),
    ("stack |adapter, role|", "stack |adapter, ¦|", {"role"}, {"adapter", "weight"}),
    ("retain |task, rise|", "retain |task, rise, o¦|", {"otherwise", "keep"}, {"rise"}),
    ("    작은:\n", "    작은:\n        ¦\n", {"model", "train", "phases"}, {"extends", "profiles", "adapters"}),
    ("model: {use: embedded", "model: {use: ¦", {"embedded", "causal_lm"}, {"lora", "jsonl"}),
    ("    한국어: {use: lora", "    한국어: {use: lo¦", {"lora"}, {"jsonl"}),
    ("문장.validation, plain_text, perplexity", "문장.validation, plain_text, ¦", {"perplexity", "exact_match"}, {"mcq", "유창성"}),
    ("문장.validation, plain_text", "문장.validation, ¦", {"plain_text", "묻기", "mcq"}, {"perplexity"}),
    ("    유창성, 문장.validation", "    유창성, ¦", {"문장", "문장.train", "문장.validation"}, {"한국어"}),
    ("            한국어, merge\n", "            ¦, merge\n", {"한국어", "terms"}, {"문장", "유창성"}),
    ("            한국어, merge\n", "            한국어, ¦\n", {"train", "merge", "freeze", "continue"}, {"한국어"}),
    ("            terms, train\n", "            terms, train\n            ¦\n", {"한국어", "terms"}, {"train"}),
    ("like: 한국어", "like: ¦", {"한국어"}, {"terms", "문장"}),
    ("after: 첫째", "after: ¦", {"첫째"}, {"second"}),
    ("after: 첫째", "after: [¦", {"첫째"}, {"second"}),
    ("task: 유창성\n", "task: ¦\n", {"유창성", "recall"}, {"첫째"}),
    ("유창성, 5%", "¦, 5%", {"유창성", "recall"}, {"rise"}),
    ("retain |task, rise|\n            유창성, 5%", "retain |task, rise, otherwise|\n            유창성, 5%, ¦", {"warn", "reject"}, set()),
    ("evaluation_completed, ", "¦, ", {"evaluation_completed", "epoch_completed"}, {"loss"}),
    ("{use: early_stop, monitor: recall}", "¦", {"stop", "evaluate", "early_stop"}, {"lora"}),
    ('"유창성 < 3 and recall', '"유창성 < 3 and ¦', {"recall", "loss", "step"}, {"stop"}),
    ('"유창성 < 3 and recall', '"¦ < 3 and recall', {"유창성", "epoch"}, set()),
    ("${adapters.한국어.r}", "${adapters.¦}", {"한국어", "terms"}, {"data"}),
    ("${adapters.한국어.r}", "${¦}", {"adapters", "model", "train"}, {"한국어"}),
    ("default_profile: 작은", "default_profile: ¦", {"작은"}, {"한국어"}),
    ("r: 8, target", "use_rslora: ¦, target", {"true", "false"}, {"null"}),
    ("architecture: gemma3", "architecture: ¦", {"gemma3"}, {"true"}),
    ("adapters: {한국어: {r: 4}}", "adapters: {¦}", {"한국어", "terms"}, {"문장"}),
    ("recipe: small", "recipe: small  # se¦", set(), {"seed"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "marked", "there", "absent"), CASES, ids=lambda v: v.strip() if isinstance(v, str) else ""
)
def test_proposals(complete, old, marked, there, absent):
    labels = {item.label for item in complete(old, marked)}
    assert (there - labels, absent & labels) == (set(), set())


def test_a_proposal_replaces_the_word_and_is_explained(complete):
    items = complete("            learning_rate: 1e-3\n", "            gra¦\n")
    (item,) = [item for item in items if item.label == "grad_accum"]
    assert item.text_edit.new_text == "grad_accum: "
    start, end = item.text_edit.range.start.character, item.text_edit.range.end.character
    assert (start, end) == (12, 15)
    assert item.detail == "whole number >= 1, default 1"
    assert item.documentation.value
    assert item.insert_text_format is lsp.InsertTextFormat.PlainText


def test_a_key_that_has_its_colon_gets_no_second_one(complete):
    items = complete("            learning_rate: 1e-3\n", "            gra¦: 4\n")
    assert next(i for i in items if i.label == "grad_accum").text_edit.new_text == "grad_accum"


def test_a_key_of_a_block_opens_one(complete):
    items = complete("recipe: small\n", "recipe: small\n¦\n")
    assert next(i for i in items if i.label == "executor").text_edit.new_text == "executor: "
    items = complete("    작은:\n", "    작은:\n        ¦\n")
    assert next(i for i in items if i.label == "model").text_edit.new_text == "model:"


def test_names_in_a_condition_stay_in_its_quotes(complete):
    items = complete('"유창성 < 3 and recall > 0.5 for 2"', '"유창성 < 3 and rec¦"')
    edit = next(i for i in items if i.label == "recall").text_edit
    assert (edit.new_text, edit.range.end.character - edit.range.start.character) == ("recall", 3)


def test_names_just_written_are_known_before_anything_is_checked(complete):
    items = complete("adapters:\n", "adapters:\n    새것: {use: lora}\n    둘: {like: ¦}\n")
    assert {"새것", "한국어"} <= {item.label for item in items}


def test_recipes_beside_it_are_proposed_for_extends(complete, shared):
    (shared / "base.sdn").write_text("seed: 1\n", encoding="utf-8")
    assert [i.label for i in complete("recipe: small", "recipe: small\nextends: ¦")] == ["base.sdn"]


def test_text_that_parses_nowhere_has_proposals_too(complete):
    items = complete("recipe: small\n", 'x: [\ny: "\n{{{\ntrain:\n    ¦\n')
    assert {"epochs", "learning_rate"} <= {item.label for item in items}
