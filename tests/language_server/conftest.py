from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import pytest
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient
from pygls.uris import from_fs_path

T = TypeVar("T")
SMALL = Path(__file__).with_name("small.sdn").read_text("utf-8")
PATIENCE_S = 30


class Editor:
    """pygls' own client on a real ``medrecipe lsp``, asked from a test that knows nothing of event loops."""

    def __init__(self, *, encodings: list[str] | None = None, arguments: tuple[str, ...] = ()) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.published: dict[str, lsp.PublishDiagnosticsParams] = {}
        self.log: list[str] = []
        self.versions: dict[str, int] = {}
        self.code: int | None = None
        self.client = self.do(self._start(encodings, arguments))

    async def _start(self, encodings: list[str] | None, arguments: tuple[str, ...]) -> LanguageClient:
        client = LanguageClient("tests", "1")
        self.news = asyncio.Condition()

        @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        async def published(params: lsp.PublishDiagnosticsParams) -> None:
            async with self.news:
                self.published[params.uri] = params
                self.news.notify_all()

        @client.feature(lsp.WINDOW_LOG_MESSAGE)
        async def logged(params: lsp.LogMessageParams) -> None:
            async with self.news:
                self.log.append(params.message)
                self.news.notify_all()

        await client.start_io(sys.executable, "-m", "pipeline_dsl.cli.main", "lsp", *arguments)
        general = lsp.GeneralClientCapabilities(position_encodings=encodings)
        self.server = await client.initialize_async(
            lsp.InitializeParams(capabilities=lsp.ClientCapabilities(general=general))
        )
        client.initialized(lsp.InitializedParams())
        return client

    def do(self, work: Awaitable[T]) -> T:
        """Wait for something that the loop does."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, PATIENCE_S), self.loop)  # type: ignore[arg-type]
        return future.result(PATIENCE_S + 5)

    def tell(self, say: Callable[[], None]) -> None:
        """Send a notification."""

        async def send() -> None:
            say()

        self.do(send())

    def write(self, path: Path, text: str) -> str:
        """Open a document, or change the one that is open; return its name."""
        uri = str(from_fs_path(str(path)))
        version = self.versions.get(uri, 0) + 1
        self.versions[uri] = version
        if version == 1:
            item = lsp.TextDocumentItem(uri, "sdn", version, text)
            self.tell(lambda: self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item)))
        else:
            changed = lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(version, uri),
                [lsp.TextDocumentContentChangeWholeDocument(text)],
            )
            self.tell(lambda: self.client.text_document_did_change(changed))
        return uri

    def close(self, uri: str) -> None:
        params = lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(uri))
        self.tell(lambda: self.client.text_document_did_close(params))
        self.versions.pop(uri, None)

    def findings(self, uri: str, version: int | None = None) -> list[lsp.Diagnostic]:
        """What is published of a document in its newest version, awaited."""
        wanted = self.versions[uri] if version is None else version

        async def wait() -> list[lsp.Diagnostic]:
            async with self.news:
                await self.news.wait_for(
                    lambda: uri in self.published and self.published[uri].version == wanted
                )
                return list(self.published[uri].diagnostics)

        return self.do(wait())

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is published that makes a claim hold."""

        async def wait() -> None:
            async with self.news:
                await self.news.wait_for(holds)

        self.do(wait())

    def at(self, uri: str, text: str, place: str) -> tuple[lsp.TextDocumentIdentifier, lsp.Position]:
        """A document and the position of ``|`` in ``place``, which stands in the text without it."""
        before, _, after = place.partition("¦")
        found = text.index(before + after) + len(before)
        line = text.count("\n", 0, found)
        head = text[text.rfind("\n", 0, found) + 1 : found]
        return lsp.TextDocumentIdentifier(uri), lsp.Position(line, len(head.encode("utf-16-le")) // 2)

    def end(self) -> int:
        """Shut the server down as an editor does; return its exit code."""

        async def leave() -> int:
            process = self.client._server
            assert process is not None
            await self.client.shutdown_async(None)
            self.client.exit(None)
            code = await process.wait()
            await self.client.stop()
            return code

        self.code = self.do(leave())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)
        self.loop.close()
        return self.code


@pytest.fixture(scope="session")
def editor() -> Iterator[Editor]:
    """One server for all tests of this folder."""
    one = Editor()
    yield one
    assert one.end() == 0


def with_rows(folder: Path) -> Path:
    """A folder with the rows that the small recipe reads."""
    (folder / "rows.jsonl").write_text('{"text": "가나다"}\n{"text": "라마바"}\n', encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a test."""
    return with_rows(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a file of tests."""
    return with_rows(tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="session")
def small() -> str:
    """A small recipe with Hangul and emoji that uses all of the language."""
    return SMALL
