from __future__ import annotations

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.uris import from_fs_path

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.language_server.positions import Positions
from pipeline_dsl.recipe.load import load_recipe, resolved
from pipeline_dsl.syntax.parser import parse

TOP = ("recipe: ", "profiles:", "default_profile:")


@pytest.fixture
def both(editor, folder, small):
    """The small recipe in two files: adapters and data in the base, everything else on top of it."""
    start, end = small.index("adapters:"), small.index("templates:")
    texts = {"base.sdn": small[start:end], "top.sdn": small[:start] + "extends: base.sdn\n" + small[end:]}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    uri = editor.write(folder / "top.sdn", texts["top.sdn"])
    yield uri, texts
    editor.close(uri)


def asked(editor, both, place):
    uri, texts = both
    return editor.at(uri, texts["top.sdn"], place)


def changed(folder, texts, edit: lsp.WorkspaceEdit) -> dict[str, str]:
    """The texts after an edit."""
    new = dict(texts)
    for uri, edits in edit.changes.items():
        name = next(n for n in texts if from_fs_path(str(folder / n)) == uri)
        places = Positions.of(texts[name], "utf-16")
        for one in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
            start, end = places.offset(one.range.start), places.offset(one.range.end)
            new[name] = new[name][:start] + one.new_text + new[name][end:]
    return new


@pytest.mark.parametrize(
    ("place", "file", "line"),
    [
        ("            한국¦어, merge", "base.sdn", "    한국어: {use"),
        ("문¦장.validation", "base.sdn", "    문장: {use"),
        ("문장.train, 묻¦기", "top.sdn", "    묻기: {prompt"),
        ("task: 유창¦성", "top.sdn", "    유창성, 문장.val"),
        ("        유창¦성, 5%", "top.sdn", "    유창성, 문장.val"),
        ("after: 첫¦째", "top.sdn", "    첫째:"),
        ("3 and rec¦all", "top.sdn", "    recall, 문장"),
        ("monitor: rec¦all", "top.sdn", "    recall, 문장"),
        ("{adapters.한국¦어.r}, data", "base.sdn", "    한국어: {use"),
        ("data.문¦장.use", "base.sdn", "    문장: {use"),
        ("adapters: {한국¦어: {r: 4", "base.sdn", "    한국어: {use"),
        ("default_profile: 작¦은", "top.sdn", "    작은:"),
        ("extends: ba¦se.sdn", "base.sdn", "adapters:"),
    ],
)  # fmt: skip
def test_a_name_leads_to_where_it_is_given(editor, both, folder, place, file, line):
    document, position = asked(editor, both, place)
    (found,) = editor.do(
        editor.client.text_document_definition_async(lsp.DefinitionParams(document, position))
    )
    assert found.uri == from_fs_path(str(folder / file))
    assert both[1][file].splitlines()[found.range.start.line].startswith(line)


@pytest.mark.parametrize(
    ("place", "count", "files"),
    [
        ("            한국¦어, merge", 7, 2),
        ("유창¦성, 5%", 5, 1),
        ("문¦장.validation", 6, 2),
        ("after: 첫¦째", 2, 1),
    ],
)
def test_references_are_all_places_of_a_name(editor, both, place, count, files):
    document, position = asked(editor, both, place)
    params = lsp.ReferenceParams(lsp.ReferenceContext(include_declaration=True), document, position)
    found = editor.do(editor.client.text_document_references_async(params))
    assert (len(found), len({one.uri for one in found})) == (count, files)
    bare = lsp.ReferenceParams(lsp.ReferenceContext(include_declaration=False), document, position)
    assert 0 < len(editor.do(editor.client.text_document_references_async(bare))) < count


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("            한국¦어, merge", "한국어", "korean_2"),
        ("문¦장.validation", "문장", "자료"),
        ("after: 첫¦째", "첫째", "단계-1"),
        ("3 and rec¦all", "recall", "재현율"),
        ("유창¦성, 5%", "유창성", "fluency"),
        ("문장.train, 묻¦기", "묻기", "ask"),
        ("default_profile: 작¦은", "작은", "tiny"),
    ],
)  # fmt: skip
def test_renaming_changes_every_place_in_every_file_and_the_meaning_nowhere(
    editor, both, folder, place, old, new
):
    document, position = asked(editor, both, place)
    prepared = editor.do(
        editor.client.text_document_prepare_rename_async(lsp.PrepareRenameParams(document, position))
    )
    assert prepared.placeholder == old
    params = lsp.RenameParams(text_document=document, position=position, new_name=new)
    texts = changed(folder, both[1], editor.do(editor.client.text_document_rename_async(params)))
    before = load_recipe(str(folder / "top.sdn"))
    for name, text in texts.items():
        assert parse(Source.of(name, text)).ok
        (folder / name).write_text(text, encoding="utf-8")
    after = load_recipe(str(folder / "top.sdn"))
    assert (before.diagnostics, after.diagnostics) == ((), ())
    assert str(resolved(after)) == str(resolved(before)).replace(old, new)
    assert not any(old in text for text in texts.values())


@pytest.mark.parametrize(
    ("place", "new", "why"),
    [
        ("            한국¦어, merge", "terms", "already"),
        ("            한국¦어, merge", "a b", "a space"),
        ("            한국¦어, merge", "", "empty"),
        ("            한국¦어, merge", "12", "a number"),
        ("            한국¦어, merge", "true", "keyword"),
        ("            한국¦어, merge", "kоrean", "cannot be a name"),
        ("after: 첫¦째", "base", "untouched model"),
        ("문¦장.validation", "a.b", "no dot"),
        ("rec¦ipe: small", "x", "no name here"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_is_refused_with_the_reason(editor, both, place, new, why):
    document, position = asked(editor, both, place)
    params = lsp.RenameParams(text_document=document, position=position, new_name=new)
    with pytest.raises(JsonRpcException, match=why):
        editor.do(editor.client.text_document_rename_async(params))


def test_renaming_in_a_base_reaches_the_recipes_that_extend_it(editor, both, folder):
    text = both[1]["base.sdn"]
    uri = editor.write(folder / "base.sdn", text)
    document, position = editor.at(uri, text, "    한국¦어: {use")
    params = lsp.RenameParams(text_document=document, position=position, new_name="korean")
    edit = editor.do(editor.client.text_document_rename_async(params))
    assert {from_fs_path(str(folder / name)) for name in both[1]} == set(edit.changes)
    editor.close(uri)


def test_nothing_is_renamed_where_no_name_stands(editor, both):
    document, position = asked(editor, both, "max_st¦eps: 7")
    params = lsp.PrepareRenameParams(document, position)
    assert editor.do(editor.client.text_document_prepare_rename_async(params)) is None
