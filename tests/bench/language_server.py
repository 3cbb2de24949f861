"""How soon ``medrecipe lsp`` answers while a recipe of 1,000 lines is edited.

    python tests/bench/language_server.py [EDITS] [PAUSE_MS]

A real server over standard input and output. Each edit changes one line (a number, a name, a half-written key, a
new line) and is followed at once by hover, completion and documentSymbol, one after the other as an editor does.
An edit's own time runs until its first answer, so that whatever the edit makes the server do counts. With a pause
longer than the server's own, every edit is checked while requests come in; the times until findings of the newest
text are published are told apart from the answers.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient
from pygls.uris import from_fs_path

LINES = 1_000
PHASE = """    단계{i}:
        task: 시험{i}
        stack |adapter, role|
            한국어{i}, train
        mix |data, template, weight|
            문장{i}, plain_text, 0.9
            문장0, plain_text, 0.1        # replay
        train:
            epochs: {epochs}
            learning_rate: 1e-4
            max_length: 128
        hooks |on, every, when, do|
            epoch_completed, 1, "loss < 0.01 for 2", stop
        retain |task, rise, otherwise|
            시험0, 5%, warn
"""


def recipe(lines: int) -> str:
    """A recipe of about so many lines: adapters, data, tasks and phases with Hangul names."""
    count = (lines - 15) // 23
    parts = ["recipe: long\nmodel:\n    use: embedded\n    architecture: gemma3\nadapters:\n"]
    parts += ["    base_a:\n        use: lora\n        r: 8\n        target_modules: all-linear\n"]
    parts += [f"    한국어{i}:\n        like: base_a\n        r: {8 + i % 8}  # rank\n" for i in range(count)]
    parts += ["data:\n"]
    parts += [
        f"    문장{i}:\n        use: jsonl\n        path: rows.jsonl\n        limit: {i + 1}\n"
        for i in range(count)
    ]
    parts += ["tasks |task, data, template, metric, limit|\n"]
    parts += [f"    시험{i}, 문장{i}, plain_text, perplexity, {10 + i}\n" for i in range(count)]
    parts += ["train: {epochs: 1, learning_rate: 2e-4, batch_size: 4}\nphases:\n"]
    parts += [PHASE.format(i=i, epochs=1 + i % 5) for i in range(count)]
    text = "".join(parts)
    return text + "# end\n" * max(0, lines - text.count("\n"))


def edits(text: str, count: int, seed: int = 7):
    """Texts one edit after the other, and the offset at which each was made."""
    chance = random.Random(seed)
    lines = text.splitlines(keepends=True)
    places = [i for i, line in enumerate(lines) if "learning_rate: 1e-4" in line or "epochs: " in line]
    for number in range(count):
        at = chance.choice(places[1:])
        changed = list(lines)
        indent = " " * (len(lines[at]) - len(lines[at].lstrip()))
        kind = number % 4
        changed[at] = [
            f"{indent}learning_rate: {number + 1}e-6\n",
            f"{indent}batch\n{lines[at]}",
            f"{indent}gr\n",
            f"{indent}# 메모 {number}\n{lines[at]}",
        ][kind]
        yield "".join(changed), at, len(indent) + (2 if kind == 2 else 5)


class Session:
    """One client with one server and the times that it took."""

    def __init__(self) -> None:
        self.client = LanguageClient("bench", "1")
        self.times: dict[str, list[float]] = {}
        self.published = asyncio.Condition()
        self.version = 0

        @self.client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        async def published(params: lsp.PublishDiagnosticsParams) -> None:
            async with self.published:
                self.version = params.version or 0
                self.published.notify_all()

    async def timed(self, what: str, work, since: float | None = None):
        start = time.perf_counter() if since is None else since
        found = await work
        self.times.setdefault(what, []).append(1e3 * (time.perf_counter() - start))
        return found

    async def ask(self, uri: str, line: int, column: int, since: float) -> None:
        document, place = lsp.TextDocumentIdentifier(uri), lsp.Position(line, column)
        client = self.client
        await self.timed(
            "edit + hover", client.text_document_hover_async(lsp.HoverParams(document, place)), since
        )
        items = await self.timed(
            "completion", client.text_document_completion_async(lsp.CompletionParams(document, place))
        )
        symbols = await self.timed(
            "documentSymbol", client.text_document_document_symbol_async(lsp.DocumentSymbolParams(document))
        )
        assert items is not None
        assert len(symbols) >= 6

    async def checked(self, version: int) -> None:
        async with self.published:
            await self.published.wait_for(lambda: self.version == version)


async def main(count: int, pause_s: float) -> None:
    """Measure and print."""
    text = recipe(LINES)
    session = Session()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rows.jsonl").write_text('{"text": "가나다"}\n' * 50, encoding="utf-8")
        uri = from_fs_path(str(Path(folder) / "long.sdn"))
        await session.client.start_io(sys.executable, "-m", "pipeline_dsl.cli.main", "lsp")
        await session.client.initialize_async(lsp.InitializeParams(capabilities=lsp.ClientCapabilities()))
        session.client.initialized(lsp.InitializedParams())
        item = lsp.TextDocumentItem(uri, "sdn", 1, text)
        start = time.perf_counter()
        session.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        await session.timed("first findings after opening", session.checked(1), start)
        for version, (new, line, column) in enumerate(edits(text, count), start=2):
            start = time.perf_counter()
            whole = [lsp.TextDocumentContentChangeWholeDocument(new)]
            document = lsp.VersionedTextDocumentIdentifier(version, uri)
            session.client.text_document_did_change(lsp.DidChangeTextDocumentParams(document, whole))
            await session.ask(uri, line, column, start)
            if version % 20 == 0:
                await session.timed("findings, 0.2 s pause included", session.checked(version), start)
            await asyncio.sleep(max(0.0, pause_s - (time.perf_counter() - start)))
        await session.client.shutdown_async(None)
        session.client.exit(None)
        await session.client.stop()
    report(session.times, text.count("\n"), count)


def report(times: dict[str, list[float]], lines: int, count: int) -> None:
    """Print a line for each kind of answer."""
    print(f"{lines} lines, {count} edits; milliseconds")
    answers = [t for what in ("edit + hover", "completion", "documentSymbol") for t in times[what]]
    for what, found in [*times.items(), ("all answers", answers)]:
        cuts = statistics.quantiles(found, n=20) if len(found) > 1 else found * 19
        print(
            f"  {what:32} p50 {statistics.median(found):7.1f}   p95 {cuts[18]:7.1f}   max {max(found):7.1f}"
        )


if __name__ == "__main__":
    asyncio.run(
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 200,
            float(sys.argv[2]) / 1e3 if len(sys.argv) > 2 else 0.1,
        )
    )
