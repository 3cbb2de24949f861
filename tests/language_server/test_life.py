from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.language_server.conftest import Editor


@pytest.fixture(scope="module")
def mine():
    """A server that loads the plugin files of recipes, spoken to in UTF-8."""
    one = Editor(encodings=["utf-8", "utf-16"], arguments=("--local-plugins", "--stdio"))
    yield one
    assert one.end() == 0


COMMAND = [sys.executable, "-m", "pipeline_dsl.cli.main", "lsp"]


def message(**content) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **content}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def frames(out: bytes):
    """The messages of which an output consists, and of nothing else."""
    while out:
        head, _, rest = out.partition(b"\r\n\r\n")
        match = re.match(rb"Content-Length: (\d+)\r\n", head + b"\r\n")
        assert match is not None, head
        length = int(match[1])
        yield json.loads(rest[:length])
        out = rest[length:]


def test_a_request_that_fails_is_logged_and_the_server_lives(editor, folder, small):
    uri = editor.write(folder / "life.sdn", small)

    async def ask(method, params):
        return await editor.client.protocol.send_request_async(method, params)

    with pytest.raises(Exception, match=r"[Mm]ethod"):
        editor.do(ask("textDocument/nonsense", {}))
    symbols = lsp.DocumentSymbolParams(lsp.TextDocumentIdentifier(uri))
    assert len(editor.do(editor.client.text_document_document_symbol_async(symbols))) > 5
    editor.close(uri)


def test_a_document_that_is_not_open_is_answered_with_nothing(editor, folder):
    document, place = lsp.TextDocumentIdentifier("file:///nowhere.sdn"), lsp.Position(3, 3)
    client = editor.client
    assert editor.do(client.text_document_hover_async(lsp.HoverParams(document, place))) is None
    assert list(editor.do(client.text_document_completion_async(lsp.CompletionParams(document, place)))) == []
    assert list(editor.do(client.text_document_definition_async(lsp.DefinitionParams(document, place)))) == []


def test_an_editor_without_a_file_is_served_too(editor, small):
    uri = "untitled:Untitled-1"
    item = lsp.TextDocumentItem(uri, "sdn", 1, "recipe: a\nrecipe: b\n")
    editor.tell(lambda: editor.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item)))
    editor.until(lambda: uri in editor.published)
    assert "MR" in str(editor.published[uri].diagnostics[0].code)
    editor.close(uri)


def test_utf8_is_spoken_with_editors_that_ask_for_it_and_local_plugins_where_allowed(mine, folder, small):
    (folder / "own.py").write_text("print('loud')\n", encoding="utf-8")
    text = f"plugins: [./own.py]\n{small}".replace("            한국어, train", "            한국어, trian")
    (found,) = mine.findings(mine.write(folder / "utf8.sdn", text))
    assert mine.server.capabilities.position_encoding == "utf-8"
    assert (found.range.start.character, found.range.end.character) == (12 + 9 + 2, 12 + 9 + 7)


BREAKS = """
from pipeline_dsl.language_server import answers, session
print("loud")
def broken(*_):
    raise RuntimeError("broken on purpose")
answers.told = broken
session.by_file = broken
"""


def test_bugs_are_logged_and_the_server_lives(mine, folder, small):
    """A plugin that breaks the server itself stands for bugs: of a request, and of what is published."""
    (folder / "own.py").write_text(BREAKS, encoding="utf-8")
    text = f"plugins: [./own.py]\n{small}"
    uri = mine.write(folder / "bugs.sdn", text)
    document, place = mine.at(uri, text, "rec¦ipe: small")
    told = "could not be checked: RuntimeError: broken on purpose"
    mine.until(lambda: any(told in line for line in mine.log))
    with pytest.raises(JsonRpcException, match="broken on purpose"):
        mine.do(mine.client.text_document_hover_async(lsp.HoverParams(document, place)))
    mine.until(lambda: "medrecipe: RuntimeError: broken on purpose" in mine.log)
    assert mine.do(mine.client.text_document_completion_async(lsp.CompletionParams(document, place)))
    mine.close(uri)


def test_what_is_no_protocol_ends_nothing_and_an_end_without_shutdown_is_an_error():
    junk = message(id=1, method="initialize", params={"capabilities": {}}) + message(
        method="initialized", params={}
    )
    junk += message(id=2, method="textDocument/hover", params={"wrong": True})
    junk += b"Content-Length: 3\r\n\r\n{{{" + message(id=3, method="textDocument/foldingRange", params={
        "textDocument": {"uri": "file:///x.sdn"}})  # fmt: skip
    done = subprocess.run(
        COMMAND, input=junk + message(method="exit"), capture_output=True, check=False, timeout=60
    )
    answers = list(frames(done.stdout))
    assert {1, 3} <= {one.get("id") for one in answers}
    assert done.returncode == 1


def test_without_the_extra_it_says_what_to_install(tmp_path):
    (tmp_path / "pygls.py").write_text(
        "raise ModuleNotFoundError('no pygls', name='pygls')\n", encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, env=environment, check=False, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert "error[MR608]" in done.stderr
    assert "pip install 'medrecipe[lsp]'" in done.stderr


def every_request(client, document: lsp.TextDocumentIdentifier, place: lsp.Position):
    """One of each request, at a place."""
    whole = lsp.Range(lsp.Position(0, 0), lsp.Position(10_000, 0))
    yield client.text_document_hover_async(lsp.HoverParams(document, place))
    yield client.text_document_completion_async(lsp.CompletionParams(document, place))
    yield client.text_document_definition_async(lsp.DefinitionParams(document, place))
    context = lsp.ReferenceContext(include_declaration=True)
    yield client.text_document_references_async(lsp.ReferenceParams(context, document, place))
    yield client.text_document_prepare_rename_async(lsp.PrepareRenameParams(document, place))
    yield client.text_document_document_symbol_async(lsp.DocumentSymbolParams(document))
    yield client.text_document_folding_range_async(lsp.FoldingRangeParams(document))
    options = lsp.FormattingOptions(tab_size=4, insert_spaces=True)
    yield client.text_document_formatting_async(lsp.DocumentFormattingParams(document, options))
    actions = lsp.CodeActionParams(document, whole, lsp.CodeActionContext(diagnostics=[]))
    yield client.text_document_code_action_async(actions)
    yield client.text_document_inlay_hint_async(lsp.InlayHintParams(document, whole))


TEXTS = int(os.environ.get("MEDRECIPE_DAMAGED_TEXTS", "6"))


@pytest.mark.parametrize("seed", range(TEXTS))
def test_every_request_is_answered_of_a_text_that_is_damaged_anywhere(editor, shared, small, seed):
    chance = random.Random(seed)
    text = small
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(text))
        junk = "".join(chance.choices('[]{}"|,:=-#$ \t\n\r가😀a1\u2028', k=chance.randint(0, 4)))
        text = text[:at] + junk + text[at + chance.randint(0, 30) :]
    uri = editor.write(shared / "damaged.sdn", text)
    document = lsp.TextDocumentIdentifier(uri)
    before = len(editor.log)
    for _ in range(4):
        place = lsp.Position(chance.randint(0, text.count("\n") + 2), chance.randint(0, 60))
        for request in every_request(editor.client, document, place):
            editor.do(request)
    editor.findings(uri)
    assert editor.log[before:] == []
