from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.uris import from_fs_path

ROOT = Path(__file__).parent.parent.parent
SMALL = """recipe: small
model: {use: embedded, architecture: gemma3}
adapters:
    한국어: {use: lora, r: 8, target_modules: all-linear}
data:
    문장: {use: jsonl, path: rows.jsonl}
tasks |task, data, template, metric|
    유창성, 문장, plain_text, perplexity
phases:
    첫째:
        stack |adapter, role|
            한국어, train
        mix |data, template|
            문장, plain_text
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "가나다"}\n' * 3, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", ["medgemma_korean.sdn", "base.sdn", "llama_medical.sdn"])
def test_recipes_of_the_project_are_fine_and_a_base_is_read_as_part_of_what_extends_it(editor, name):
    path = ROOT / "recipes" / name
    uri = editor.write(path, path.read_text("utf-8"))
    assert editor.findings(uri) == []
    editor.close(uri)


def test_what_is_published_is_what_check_finds(editor, folder):
    text = (
        SMALL.replace("r: 8", "rr: 8")
        .replace("유창성, 문장", "유창성, 문잔")
        .replace("plain_text, perp", "plain_tex, perp")
    )
    path = folder / "r.sdn"
    path.write_text(text, encoding="utf-8")
    found = editor.findings(editor.write(path, text))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline_dsl.cli.main", "check", str(path), "--format", "json"],
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    listed = json.loads(done.stdout)
    listed = listed["diagnostics"] if isinstance(listed, dict) else listed
    assert sorted(d.code for d in found) == sorted(d["code"] for d in listed)
    assert len(found) >= 3
    assert {d.source for d in found} == {"medrecipe"}
    assert all(d.severity is lsp.DiagnosticSeverity.Error for d in found)


def test_an_unsaved_text_is_checked_and_a_mended_one_is_silent(editor, folder):
    uri = editor.write(folder / "new.sdn", SMALL.replace("embedded", "embeded"))
    (found,) = editor.findings(uri)
    assert (found.code, found.range.start, found.range.end.character) == (
        "MR301", lsp.Position(1, len("model: {use: ")), len("model: {use: embeded"),
    )  # fmt: skip
    assert "embedded" in found.message
    editor.write(folder / "new.sdn", SMALL)
    assert editor.findings(uri) == []


def test_columns_are_counted_in_utf16_behind_hangul_and_emoji(editor, folder):
    text = SMALL.replace("    한국어, train", '    한국어, trian   # "😀"').replace(
        "model: {use", 'model: {"😀가": 1, use'
    )
    found = editor.findings(editor.write(folder / "wide.sdn", text))
    role = next(d for d in found if "trian" in d.message)
    key = next(d for d in found if "😀가" in d.message)
    assert (role.range.start.character, role.range.end.character) == (12 + 5, 12 + 10)
    assert (key.range.start.character, key.range.end.character) == (8, 8 + 5)


def test_a_text_that_is_broken_all_over_has_all_its_errors(editor, folder):
    uri = editor.write(folder / "broken.sdn", 'a: [1\nmodel {\nb: "x" y\n\tc: 1\n%\n😀: 1\n')
    found = editor.findings(uri)
    assert len(found) >= 4
    assert all(d.code for d in found)


def test_findings_in_an_extended_file_stand_there_and_go_when_it_is_mended(editor, folder):
    base, top = folder / "base.sdn", folder / "top.sdn"
    base.write_text("seed: -1\n", encoding="utf-8")
    there = str(from_fs_path(str(base)))
    uri = editor.write(top, f"extends: base.sdn\n{SMALL}")
    assert editor.findings(uri) == []
    assert [d.code for d in editor.published[there].diagnostics] == ["MR331"]
    editor.write(base, "seed: 1\n")
    editor.until(lambda: not editor.published[there].diagnostics)
    editor.write(base, "seed: -2\n")
    editor.until(lambda: bool(editor.published[there].diagnostics))
    editor.close(there)
    editor.close(uri)
    editor.until(lambda: not editor.published[there].diagnostics)


def test_a_profile_that_is_not_chosen_is_checked_too(editor, folder):
    text = f"{SMALL}profiles:\n    작은: {{}}\n    big:\n        train: {{batch_siz: 64}}\n"
    uri = editor.write(folder / "profiles.sdn", text)
    (found,) = editor.findings(uri)
    assert found.range.start.line == text.count("\n") - 1
    assert "under the profile `big`" in found.message
    editor.close(uri)


def test_a_second_place_is_related_information(editor, folder):
    uri = editor.write(folder / "twice.sdn", f"{SMALL}seed: 1\nseed: 2\n")
    (found,) = editor.findings(uri)
    (related,) = found.related_information or ()
    assert (related.location.uri, related.location.range.start.line) == (uri, SMALL.count("\n"))


def test_the_plugins_of_a_recipe_are_not_loaded_by_opening_it(editor, folder):
    mark = folder / "ran"
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w').close()\n", encoding="utf-8")
    text = f"plugins: [./own.py]\n{SMALL}".replace("perplexity", "my_own_metric")
    uri = editor.write(folder / "own.sdn", text)
    (found,) = editor.findings(uri)
    assert (found.severity, found.range.start.line) == (lsp.DiagnosticSeverity.Warning, 0)
    assert "--local-plugins" in found.message
    assert not mark.exists()


def test_data_that_appears_is_seen_when_a_file_is_saved(editor, folder):
    text = SMALL.replace("rows.jsonl", "later.jsonl")
    uri = editor.write(folder / "later.sdn", text)
    (found,) = editor.findings(uri)
    assert "later.jsonl" in found.message
    (folder / "later.jsonl").write_text('{"text": "가"}\n', encoding="utf-8")
    saved = lsp.DidSaveTextDocumentParams(lsp.TextDocumentIdentifier(uri))
    editor.tell(lambda: editor.client.text_document_did_save(saved))
    editor.until(lambda: not editor.published[uri].diagnostics)
