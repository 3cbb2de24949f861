"""The open documents and the newest analysis of each: all state of the server."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lsprotocol import types as lsp

from pipeline_dsl.language_server.analysis import Analysis, analyse
from pipeline_dsl.language_server.catalogs import Catalogs
from pipeline_dsl.language_server.family import dependents, is_whole
from pipeline_dsl.language_server.files import Files, path_of
from pipeline_dsl.language_server.findings import by_file
from pipeline_dsl.language_server.navigation import Names, names_of
from pipeline_dsl.language_server.outline import Outline, outline

PAUSE_S = 0.2
"""How long nothing is typed before a text is checked."""
_LOG = logging.getLogger(__name__)

Publish = Callable[[str, list[lsp.Diagnostic], int | None], None]


@dataclass(slots=True)
class Document:
    """One open text. ``shape`` is made when it is first asked for."""

    uri: str
    path: str
    real: str
    text: str
    version: int
    _shape: Outline | None = field(default=None, repr=False)

    @property
    def shape(self) -> Outline:
        """The outline of the text as it is."""
        if self._shape is None:
            self._shape = outline(self.text)
        return self._shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the server was started with."""

    catalogs: Catalogs
    environment: Mapping[str, str]


class Session:
    """Keeps documents, has them analysed one after the other in a thread, publishes what is found."""

    def __init__(self, around: Surroundings, publish: Publish, say: Callable[[str], None]) -> None:
        self.files = Files()
        self.documents: dict[str, Document] = {}
        self.folder: str | None = None
        self._around = around
        self._publish = publish
        self._say = say
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="analysis")
        self._lock = asyncio.Lock()
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[Analysis | None]] = set()
        self._roots: dict[str, str] = {}
        """The recipe as a part of which each document was checked, both by real path."""
        self._analyses: dict[str, Analysis] = {}
        """By the real path of that recipe."""
        self._outdated: set[str] = set()
        self._told: dict[str, dict[str, list[lsp.Diagnostic]]] = {}

    def open(self, uri: str, text: str, version: int) -> None:
        """Take a document that was opened or changed, and have it checked soon."""
        path = path_of(uri)
        document = Document(uri, path, os.path.realpath(path), text, version)
        self.documents[uri] = document
        self.files.uris[document.real] = uri
        self._soon(document)
        for other in self.documents.values():
            found = self.newest(other)
            if found is not None and document.real in found.files and found is not self.newest(document):
                self._soon(other)

    def close(self, uri: str) -> None:
        """Forget a document and what was said of it."""
        document = self.documents.pop(uri, None)
        if document is None:
            return
        self.files.uris.pop(document.real, None)
        if handle := self._waiting.pop(uri, None):
            handle.cancel()
        self._leave(document.real)
        self.recheck()

    def recheck(self) -> None:
        """Have every document checked anew: something on disk has changed."""
        self._outdated = set(self._analyses)
        for document in self.documents.values():
            self._soon(document)

    def newest(self, document: Document) -> Analysis | None:
        """The newest analysis there is, perhaps of an older text."""
        return self._analyses.get(self._roots.get(document.real, ""))

    def current(self, document: Document) -> Analysis | None:
        """The newest analysis if it is of the texts as they are now."""
        found = self.newest(document)
        if found is None or found.root in self._outdated:
            return None
        texts = {d.real: d.text for d in self.documents.values() if d.real in found.files}
        return found if texts == found.texts else None

    async def analysed(self, document: Document) -> Analysis | None:
        """Return an analysis of the text as it is now; None where the document was closed meanwhile."""
        async with self._lock:
            now = self.documents.get(document.uri)
            if now is None:
                return None
            found = self.current(now)
            if found is None:
                unsaved = {d.real: d.text for d in self.documents.values()}
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(self._worker, self._analyse, now.path, unsaved)
                self._keep(now, found)
            return found

    async def names(self, document: Document) -> Names:
        """Return all names of the recipes to which a file belongs, of the texts as they are now."""
        unsaved = {d.real: d.text for d in self.documents.values()}
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._names, document.path, unsaved)

    def end(self) -> None:
        """Let go of the thread."""
        for handle in self._waiting.values():
            handle.cancel()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _analyse(self, path: str, unsaved: Mapping[str, str]) -> Analysis:
        """Check a document, or the recipe of which it is a part."""
        found = analyse(path, unsaved, self._around.catalogs, self._around.environment)
        if is_whole(found.loaded):
            return found
        root = next(iter(dependents(path, self.folder, unsaved)), None)
        return analyse(root, unsaved, self._around.catalogs, self._around.environment) if root else found

    def _names(self, path: str, unsaved: Mapping[str, str]) -> Names:
        return names_of((path, *dependents(path, self.folder, unsaved)), unsaved)

    def _soon(self, document: Document) -> None:
        """Check a document once nothing has been typed for a moment."""
        loop = asyncio.get_running_loop()
        if handle := self._waiting.pop(document.uri, None):
            handle.cancel()
        self._waiting[document.uri] = loop.call_later(PAUSE_S, self._start, document)

    def _start(self, document: Document) -> None:
        self._waiting.pop(document.uri, None)
        task = asyncio.get_running_loop().create_task(self.analysed(document))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Analysis | None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a recipe could not be checked", exc_info=error)
            self._say(f"a recipe could not be checked: {type(error).__name__}: {error}")

    def _keep(self, document: Document, found: Analysis) -> None:
        if self._roots.get(document.real) != found.root:
            self._leave(document.real)
            self._roots[document.real] = found.root
        self._analyses[found.root] = found
        self._outdated.discard(found.root)
        if self.current(document) is found:  # else a newer text is on its way
            here = {document.real: list[lsp.Diagnostic]()}
            self._tell(found.root, here | by_file(found.diagnostics, found.path, self.files))

    def _leave(self, real: str) -> None:
        """Forget as a part of what a document was checked, and what was found there if it was the last."""
        root = self._roots.pop(real, None)
        if root is not None and root not in self._roots.values():
            self._analyses.pop(root, None)
            self._tell(root, {})

    def _tell(self, root: str, found: dict[str, list[lsp.Diagnostic]]) -> None:
        """Publish what an analysis found, in each file beside what others found there."""
        before = self._told.pop(root, {})
        if found:
            self._told[root] = found
        for file in sorted({*before, *found}, key=lambda name: (name == root, name)):
            every = [d for told in self._told.values() for d in told.get(file, ())]
            self._publish(self.files.uri(file), _once(every), self._version(file))

    def _version(self, real: str) -> int | None:
        uri = self.files.uris.get(real)
        document = self.documents.get(uri) if uri else None
        return document.version if document else None


def _once(found: list[lsp.Diagnostic]) -> list[lsp.Diagnostic]:
    kept: list[lsp.Diagnostic] = []
    for one in found:
        if one not in kept:
            kept.append(one)
    return kept
