from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types as lsp

from pipeline_dsl.language_server.positions import Positions

ROOT = Path(__file__).parent.parent.parent
WHOLE = lsp.Range(lsp.Position(0, 0), lsp.Position(10_000, 0))


def edited(text: str, edits) -> str:
    places = Positions.of(text, "utf-16")
    for one in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        text = text[: places.offset(one.range.start)] + one.new_text + text[places.offset(one.range.end) :]
    return text


def formatted(editor, uri):
    params = lsp.DocumentFormattingParams(
        lsp.TextDocumentIdentifier(uri), lsp.FormattingOptions(tab_size=4, insert_spaces=True)
    )
    return editor.do(editor.client.text_document_formatting_async(params))


def actions(editor, uri, *, only=None):
    document = lsp.TextDocumentIdentifier(uri)
    context = lsp.CodeActionContext(diagnostics=[], only=only)
    return editor.do(
        editor.client.text_document_code_action_async(lsp.CodeActionParams(document, WHOLE, context))
    )


def test_formatting_is_that_of_the_notation(editor, folder):
    text = "recipe :   가나\ntags=[a,b]   # 😀\n"
    uri = editor.write(folder / "f.sdn", text)
    once = edited(text, formatted(editor, uri))
    assert once != text
    assert once.splitlines()[0] == "recipe: 가나"
    editor.write(folder / "f.sdn", once)
    assert list(formatted(editor, uri)) == []
    editor.close(uri)


def test_a_text_that_cannot_be_read_is_not_formatted(editor, folder):
    uri = editor.write(folder / "g.sdn", "recipe :   x\nb: [1\n")
    assert formatted(editor, uri) is None
    editor.close(uri)


def test_findings_with_a_fix_offer_it_and_it_removes_them(editor, folder, small):
    text = small.replace("learning_rate: 1e-3", "learning_rat: 1e-3  # 😀")
    uri = editor.write(folder / "fix.sdn", text)
    (found,) = editor.findings(uri)
    offered = actions(editor, uri, only=[lsp.CodeActionKind.QuickFix])
    first = offered[0]
    assert first.kind == lsp.CodeActionKind.QuickFix
    assert [d.code for d in first.diagnostics] == [found.code]
    assert first.is_preferred
    mended = edited(text, first.edit.changes[uri])
    assert mended == text.replace("learning_rat:", "learning_rate:")
    editor.write(folder / "fix.sdn", mended)
    assert editor.findings(uri) == []
    assert list(actions(editor, uri)) == []
    editor.close(uri)


def test_all_that_is_certain_is_fixed_at_once(editor, folder, small):
    text = small.replace("learning_rate: 1e-3", "learning_rat: 1e-3").replace("batch_size", "batch_siz")
    uri = editor.write(folder / "all.sdn", text)
    assert len(editor.findings(uri)) == 2
    (whole,) = actions(editor, uri, only=[lsp.CodeActionKind.SourceFixAll])
    assert edited(text, whole.edit.changes[uri]) == small
    (narrower,) = actions(editor, uri, only=[lsp.CodeActionKind.Source])
    assert narrower.kind == lsp.CodeActionKind.SourceFixAll
    editor.close(uri)


def test_the_outline_has_sections_names_and_rows(editor, folder, small):
    uri = editor.write(folder / "o.sdn", small)
    params = lsp.DocumentSymbolParams(lsp.TextDocumentIdentifier(uri))
    found = editor.do(editor.client.text_document_document_symbol_async(params))
    by_name = {one.name: one for one in found}
    assert [one.name for one in found] == [
        line.split()[0].rstrip(":") for line in small.splitlines() if line[0] != " "
    ]
    assert [one.name for one in by_name["tasks"].children] == ["유창성", "recall"]
    first, second = by_name["phases"].children
    assert [one.name for one in first.children] == ["task", "stack", "mix"]
    assert [one.name for one in second.children][:3] == ["after", "stack", "mix"]
    assert [one.detail for one in first.children] == ["유창성", "adapter, role", "data, template"]
    for one in (by_name["phases"], first, by_name["tasks"]):
        assert one.range.start.line <= one.selection_range.start.line <= one.range.end.line
        assert all(one.range.end.line >= inner.range.end.line for inner in one.children)
    editor.close(uri)


def test_blocks_fold(editor, folder, small):
    uri = editor.write(folder / "folds.sdn", small)
    params = lsp.FoldingRangeParams(lsp.TextDocumentIdentifier(uri))
    lines = small.splitlines()
    found = editor.do(editor.client.text_document_folding_range_async(params))
    folds = {lines[one.start_line].strip(): lines[one.end_line].strip() for one in found}
    assert folds["phases:"].startswith("evaluation_completed")
    assert folds["terms:"] == "alpha: 16"
    assert "recipe: small" not in folds
    editor.close(uri)


def test_a_train_line_shows_the_batch_and_the_steps_that_are_bound(editor, folder, small):
    uri = editor.write(folder / "h.sdn", small)
    params = lsp.InlayHintParams(lsp.TextDocumentIdentifier(uri), WHOLE)
    found = editor.do(editor.client.text_document_inlay_hint_async(params))
    lines = small.splitlines()
    shown = {lines[one.position.line].strip(): one.label for one in found}
    assert shown == {"첫째:": "batch 8 = 4 × 2; 7 steps", "train:": "batch 8 = 4 × 2; 7 steps"}
    editor.write(folder / "h.sdn", small.replace("embedded", "embeded"))
    assert list(editor.do(editor.client.text_document_inlay_hint_async(params))) == []
    editor.close(uri)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.sdn")), ids=lambda path: path.name)
def test_every_recipe_of_the_project_is_in_form(editor, path):
    uri = editor.write(path, path.read_text("utf-8"))
    assert list(formatted(editor, uri)) == []
    editor.close(uri)
