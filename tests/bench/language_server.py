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
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

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
    """One server, spoken to in bytes, and the times that it took.

    A client library would add the time in which it makes objects of an answer to that of the server.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.into, self.out = process.stdin, process.stdout
        self.times: dict[str, list[float]] = {}
        self.waiting: dict[int, asyncio.Future[tuple[float, Any]]] = {}
        self.published = asyncio.Condition()
        self.version = 0
        self.reading = asyncio.create_task(self._read())

    def send(self, method: str, params: Any, number: int | None = None) -> None:
        """Write one message."""
        content = {"jsonrpc": "2.0", "method": method, "params": params}
        body = json.dumps(content | ({} if number is None else {"id": number})).encode()
        self.into.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def ask(self, method: str, params: Any, what: str = "", since: float | None = None) -> Any:
        """Ask, and note the time until the last byte of the answer is here."""
        number = len(self.waiting) + 1
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        start = time.perf_counter() if since is None else since
        self.send(method, params, number)
        arrived, result = await answer
        self.times.setdefault(what, []).append(1e3 * (arrived - start))
        return result

    async def checked(self, version: int, what: str, since: float) -> None:
        """Wait until findings of a version are published, and note the time."""
        async with self.published:
            await self.published.wait_for(lambda: self.version == version)
        self.times.setdefault(what, []).append(1e3 * (time.perf_counter() - since))

    async def _read(self) -> None:
        while head := await self.out.readuntil(b"\r\n\r\n"):
            length = next(int(line.split(b":")[1]) for line in head.splitlines() if b"Length" in line)
            body = await self.out.readexactly(length)
            arrived = time.perf_counter()
            content = json.loads(body)
            if content.get("method") == "textDocument/publishDiagnostics":
                async with self.published:
                    self.version = content["params"]["version"]
                    self.published.notify_all()
            elif "method" not in content:
                self.waiting[content["id"]].set_result((arrived, content["result"]))


async def edit(session: Session, uri: str, version: int, change: tuple[str, int, int], *, wait: bool) -> None:
    """Make one edit, ask what an editor asks after it, and wait for the findings if that is wanted."""
    text, line, column = change
    start = time.perf_counter()
    document = {"uri": uri}
    session.send(
        "textDocument/didChange",
        {"textDocument": {**document, "version": version}, "contentChanges": [{"text": text}]},
    )
    place = {"textDocument": document, "position": {"line": line, "character": column}}
    await session.ask("textDocument/hover", place, "edit + hover", start)
    assert isinstance(await session.ask("textDocument/completion", place, "completion"), list)
    symbols = await session.ask("textDocument/documentSymbol", {"textDocument": document}, "documentSymbol")
    assert len(symbols) >= len(("recipe", "model", "adapters", "data", "tasks", "phases"))
    if wait:
        await session.checked(version, "findings, the pause included", start)


async def main(count: int, pause_s: float) -> None:
    """Measure and print."""
    text = recipe(LINES)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipeline_dsl.cli.main", "lsp",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip
    session = Session(process)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rows.jsonl").write_text('{"text": "가나다"}\n' * 50, encoding="utf-8")
        uri = (Path(folder) / "long.sdn").as_uri()
        await session.ask("initialize", {"capabilities": {}}, "initialize")
        session.send("initialized", {})
        start = time.perf_counter()
        document = {"uri": uri, "languageId": "sdn", "version": 1, "text": text}
        session.send("textDocument/didOpen", {"textDocument": document})
        await session.checked(1, "first findings after opening", start)
        for version, change in enumerate(edits(text, count), start=2):
            start = time.perf_counter()
            await edit(session, uri, version, change, wait=version % 20 == 0)
            await asyncio.sleep(max(0.0, pause_s - (time.perf_counter() - start)))
        used = psutil.Process(process.pid).cpu_times()
        await session.ask("shutdown", None, "shutdown")
        session.send("exit", None)
        session.reading.cancel()
        await process.wait()
    report(session.times, text.count("\n"), count)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        f"  server: {used.user + used.system:.1f} s of CPU in all; load of this machine {load} on {os.cpu_count()} cores"
    )


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
