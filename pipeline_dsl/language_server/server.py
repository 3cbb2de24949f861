"""The server: what the protocol asks, handed to those who know, and handed back in the protocol's words."""

from __future__ import annotations

import logging
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.uris import to_fs_path

from pipeline_dsl import __version__
from pipeline_dsl.language_server import answers, exact
from pipeline_dsl.language_server.session import Session, Surroundings

_LOG = logging.getLogger(__name__)


class _Protocol(LanguageServerProtocol):
    """The protocol; answers that are JSON already are written as they are, and not walked through again."""

    def _serialize_message(self, data: Any) -> dict[str, Any]:
        result = getattr(data, "result", None)
        if isinstance(result, list) and result and isinstance(result[0], dict):
            return {"jsonrpc": data.jsonrpc, "id": data.id, "result": result}
        serialized: dict[str, Any] = super()._serialize_message(data)
        return serialized


class RecipeServer(LanguageServer):
    """A language server with a session."""

    def __init__(self, around: Surroundings) -> None:
        kind = lsp.TextDocumentSyncKind.Full
        super().__init__("medrecipe", __version__, kind, protocol_cls=_Protocol)
        self.session = Session(around, self._publish, self._say)
        self.ended = False
        """Whether the client has asked for the end."""

    def _publish(self, uri: str, found: list[lsp.Diagnostic], version: int | None) -> None:
        self.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(uri=uri, diagnostics=found, version=version)
        )

    def report_server_error(self, error: Exception, source: Any) -> None:
        """A handler has failed: said in the editor's log, and the server goes on."""
        if getattr(error, "code", None) == lsp.LSPErrorCodes.RequestFailed.value:
            return  # refused, which the answer says
        _LOG.error("%s: %s", getattr(source, "__name__", source), error)
        self._say(str(error))

    def _say(self, text: str) -> None:
        """Write a line into the editor's log."""
        self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, f"medrecipe: {text}"))


def make_server(around: Surroundings) -> RecipeServer:
    """Return a server with all handlers; it speaks once it is started."""
    server = RecipeServer(around)
    _life(server)
    _documents(server)
    answers.register(server)
    exact.register(server)
    return server


def _life(server: RecipeServer) -> None:
    @server.feature(lsp.INITIALIZE)
    def initialize(params: lsp.InitializeParams) -> None:
        encoding = server.workspace.position_encoding
        server.session.files.encoding = str(getattr(encoding, "value", encoding))
        folders = params.workspace_folders or []
        uri = folders[0].uri if folders else params.root_uri
        server.session.folder = to_fs_path(uri) if uri else params.root_path

    @server.feature(lsp.SHUTDOWN)
    def shutdown(_params: None) -> None:
        server.ended = True
        server.session.end()


def _documents(server: RecipeServer) -> None:
    session = server.session

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        document = params.text_document
        session.open(document.uri, document.text, document.version)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        text = server.workspace.get_text_document(uri).source
        session.open(uri, text, params.text_document.version)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        session.close(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(_params: lsp.DidSaveTextDocumentParams) -> None:
        session.recheck()

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def moved(_params: lsp.DidChangeWatchedFilesParams) -> None:
        session.recheck()


def run(around: Surroundings, stdin: Any, stdout: Any) -> bool:
    """Speak over two streams until the client ends it; return whether it did so in the proper way."""
    server = make_server(around)
    server.start_io(stdin, stdout)
    return server.ended
