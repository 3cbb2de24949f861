"""Files of data, and a hub of one dataset on this machine."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline_dsl.api import DataError, Source

COMMIT = "a" * 40
DATASET = {
    "README.md": b"---\nconfigs:\n- config_name: exams\n  data_files: data/train.jsonl\n---\n",
    "data/train.jsonl": b'{"q": "one", "n": 1}\n{"q": "two", "n": 2}\n{"q": "three", "n": 3}\n',
}


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a file and returns its path; a name that ends in .gz is compressed."""

    def write(content: str | bytes, name: str) -> str:
        data = content if isinstance(content, bytes) else content.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(path)

    return write


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def rows_of() -> Callable[..., list[Any]]:
    """Return a function that reads the rows of a source, without their places."""
    return lambda source, start=0: [placed.row for placed in source.rows(start)]


@pytest.fixture
def refused() -> Callable[[Source, str], DataError]:
    """Return a function that reads all rows and returns the error in which that must end."""

    def read(source: Source, code: str) -> DataError:
        with pytest.raises(DataError) as caught:
            list(source.rows())
        error = caught.value
        assert (error.code, error.exit_code) == (code, 3)
        assert error.help
        assert error.place
        assert "\n" not in error.message
        return error

    return read


class Web:
    """A server of files on this machine; ``asked`` counts what was asked of it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.asked = files, 0
        web = self

        class Answers(BaseHTTPRequestHandler):
            def log_message(self, *_words: object) -> None: ...

            def reply(self, code: int, body: bytes = b"", **headers: str) -> None:
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_GET(self) -> None:
                web.asked += 1
                web.answer(self, self.path.partition("?")[0])

            do_HEAD = do_GET  # noqa: N815 - http.server's names

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, to: Any, path: str) -> None:
        body = self.files.get(path)
        if body is None:
            to.reply(404)
        else:
            to.reply(200, body, ETag=f'"{hashlib.sha256(body).hexdigest()}"')

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Hub(Web):
    """What of the hub's interface a download of one dataset, ``o/d``, asks for."""

    def answer(self, to: Any, path: str) -> None:
        files = "/datasets/o/d/resolve/"
        revisions = "/api/datasets/o/d/revision/"
        if path == "/":
            to.reply(200)
        elif path.startswith(revisions):
            known = path.removeprefix(revisions) in {"main", COMMIT}
            facts = {"id": "o/d", "sha": COMMIT, "siblings": [{"rfilename": name} for name in self.files]}
            if known:
                to.reply(200, json.dumps(facts).encode(), Content_Type="application/json")
            else:
                to.reply(404, b"{}", X_Error_Code="RevisionNotFound")
        elif path.startswith("/api/datasets/o/d/tree/"):
            entries = [
                {"type": "file", "path": name, "size": len(body), "oid": _tag(body)}
                for name, body in self.files.items()
            ]
            to.reply(200, json.dumps(entries).encode(), Content_Type="application/json")
        elif path.startswith(files):
            body = self.files.get(path.removeprefix(files).partition("/")[2])
            if body is None:
                to.reply(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
            else:
                to.reply(200, body, ETag=f'"{_tag(body)}"', X_Repo_Commit=COMMIT)
        elif path == "/api/datasets/o/gated/revision/main":
            to.reply(403, b"{}", X_Error_Code="GatedRepo")
        else:
            to.reply(404, b"{}", X_Error_Code="RepoNotFound")


def _tag(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()


@pytest.fixture
def web() -> Iterator[Web]:
    served = Web({})
    yield served
    served.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Callable[[str], list[Any]]]:
    """Return a function that runs code in a process whose hub is ours, and returns what it prints as JSON lines."""
    served = Hub(DATASET)

    def run(code: str, endpoint: str = served.address) -> list[Any]:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": ""},
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return [json.loads(line) for line in done.stdout.splitlines()]

    yield run
    served.close()
