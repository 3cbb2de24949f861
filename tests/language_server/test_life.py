from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from lsprotocol import types as lsp

from tests.language_server.conftest import Editor

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


def test_utf8_is_spoken_with_editors_that_ask_for_it_and_local_plugins_where_allowed(folder, small):
    mine = Editor(encodings=["utf-8", "utf-16"], arguments=("--local-plugins", "--stdio"))
    try:
        (folder / "own.py").write_text("print('loud')\n", encoding="utf-8")
        text = f"plugins: [./own.py]\n{small}".replace(
            "            한국어, train", "            한국어, trian"
        )
        (found,) = mine.findings(mine.write(folder / "utf8.sdn", text))
        assert mine.server.capabilities.position_encoding == "utf-8"
        assert (found.range.start.character, found.range.end.character) == (12 + 9 + 2, 12 + 9 + 7)
    finally:
        assert mine.end() == 0


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
