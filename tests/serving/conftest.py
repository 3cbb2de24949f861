"""Four siblings on one base, trained in seconds, and servers of them on free ports."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline_dsl.api import Decoder, Generation, Piece
from pipeline_dsl.cli.main import main
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run.finished import FinishedRun, open_run
from pipeline_dsl.serving.address import bound, url_of
from pipeline_dsl.serving.server import Server
from pipeline_dsl.serving.settings import Settings
from pipeline_dsl.serving.shelf import Shelf, set_up
from pipeline_dsl.serving.worker import Worker

RECIPE = """\
recipe: siblings
seed: 5
device: cpu
model: {use: causal_lm, folder: base, dtype: float32}
adapters:
    heart: {use: lora, r: 8, alpha: 16, dropout: 0.0, target_modules: all-linear}
    lung: {like: heart}
    liver: {like: heart}
    talk: {like: heart}
data:
    heart: {use: jsonl, path: heart.jsonl}
    lung: {use: jsonl, path: lung.jsonl}
    liver: {use: jsonl, path: liver.jsonl}
    talk: {use: jsonl, path: talk.jsonl}
    exam: {use: jsonl, path: exam.jsonl}
tasks |task, data, template, metric|
    heart, heart, dictionary, exact_match
train: {batch_size: 2, learning_rate: 1e-2, max_length: 200, lr_scheduler: linear, max_steps: 40}
phases:
    cardiology:
        stack |adapter, role|
            heart, train
        mix |data, template|
            heart, dictionary
    pneumology:
        stack |adapter, role|
            lung, train
        mix |data, template|
            lung, dictionary
    hepatology:
        stack |adapter, role|
            liver, train
        mix |data, template, weight|
            liver, dictionary, 0.6
            exam, mcq, 0.4
    conversation:
        stack |adapter, role|
            talk, train
        mix |data, template|
            talk, human_assistant
"""
TERMS = ("heart", "lung")
KOREAN = ("심장", "폐", "간", "콩팥")
WORDS = {
    phase: dict(zip(TERMS, KOREAN[shift:], strict=False))
    for shift, phase in enumerate(("cardiology", "pneumology", "hepatology"))
}
"""What each specialty was taught: the same questions, other answers."""
SIBLINGS = (*WORDS, "conversation")
EXAM = "Which organ pumps blood?\nA) heart\nB) lung\nC) liver\nD) kidney\nE) skin"
_ROW = {
    "question": "Which organ pumps blood?",
    "A": "heart",
    "B": "lung",
    "C": "liver",
    "D": "kidney",
    "E": "skin",
}
_REPLIES = [("열이 나요", "물을 드세요"), ("머리가 아파요", "쉬세요")]
_LONG = {"model": "base", "max_tokens": 200, "temperature": 2.0, "seed": 3}


@dataclass(frozen=True)
class Taught:
    """What the siblings know, and questions to them."""

    words = WORDS
    terms = TERMS
    siblings = SIBLINGS
    exam = EXAM
    long = _LONG
    """Options of an answer that takes a second or two."""

    def question(self, text: str, *, model: str = "cardiology", **words: Any) -> dict[str, Any]:
        return {"model": model, "messages": [{"role": "user", "content": text}], **words}


TAUGHT = Taught()


@dataclass(frozen=True)
class Serving:
    """A server that runs."""

    url: str
    shelf: Shelf
    server: Server
    client: httpx.Client
    said: list[str] = field(default_factory=list)

    def post(self, path: str = "/v1/chat/completions", **words: Any) -> httpx.Response:
        return self.client.post(path, **words)

    def get(self, path: str, **words: Any) -> httpx.Response:
        return self.client.get(path, **words)

    def ask(self, text: str, **words: Any) -> httpx.Response:
        return self.post(json=TAUGHT.question(text, **words))

    def answer(self, text: str, **words: Any) -> str:
        response = self.ask(text, **words)
        assert response.status_code == 200, response.text
        return str(response.json()["choices"][0]["message"]["content"])

    def load(self) -> tuple[int, int]:
        health = self.get("/health").json()
        return health["active"], health["waiting"]

    def becomes(self, load: tuple[int, int], seconds: float = 5.0) -> None:
        """Wait until so many requests are active and waiting."""
        end = time.monotonic() + seconds
        while self.load() != load:
            assert time.monotonic() < end, f"{self.load()}, not {load}"
            time.sleep(0.01)


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="session")
def taught() -> Taught:
    return TAUGHT


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def runs(
    tmp_path_factory: pytest.TempPathFactory, cache_of_the_session: Iterator[int], one_thread: None
) -> Path:
    """The folder of all runs, of which there is one; nobody may change it."""
    from medrecipe_plugins.models import _embedded
    from medrecipe_plugins.models.embedded import Options

    folder = tmp_path_factory.mktemp("siblings")
    tiny = {"layers": 2, "width": 64, "heads": 4, "kv_heads": 2, "mlp_width": 96, "max_positions": 256}
    options = Options(architecture="gemma3", vocabulary=600, pretraining_steps=2, **tiny)
    _embedded.build(options, folder / "base", lambda _: None)
    for name, pairs in zip(("heart", "lung", "liver"), WORDS.values(), strict=True):
        write(folder / f"{name}.jsonl", [{"english": e, "korean": k} for e, k in pairs.items()])
    write(folder / "exam.jsonl", [_ROW | {"answer": "A"}])
    write(folder / "talk.jsonl", [{"instruction": i, "response": r} for i, r in _REPLIES])
    (folder / "siblings.sdn").write_text(RECIPE, encoding="utf-8")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(["run", str(folder / "siblings.sdn"), "--runs", str(folder / "runs"), "--no-evaluate"])
    assert code == 0, said.getvalue()
    return folder / "runs"


@pytest.fixture(scope="session")
def run_id(runs: Path) -> str:
    (folder,) = (runs / "siblings").iterdir()
    return folder.name


@pytest.fixture(scope="session")
def run(runs: Path, run_id: str) -> FinishedRun:
    return open_run(runs, run_id, build_catalog(), say=lambda _: None)


class Recited:
    """A decoder that writes one given text for all, a letter a step.

    Args:
        text: what it writes; then it ends.
        seconds: how long a step takes.
        waits: the first step waits until it is set, 30 s at most.
        fails: raised by a step that has something to write, as often as it says.
    """

    def __init__(
        self,
        text: str,
        *,
        seconds: float = 0.0,
        waits: threading.Event | None = None,
        fails: Iterator[Exception | None] | None = None,
    ) -> None:
        self._text, self._seconds, self._fails = text, seconds, fails or iter(())
        self._waits = waits
        self._places: dict[str, int] = {}

    def add(self, request: Generation) -> int:
        self._places[request.id] = 0
        return 1

    def remove(self, id: str) -> None:
        self._places.pop(id, None)

    def step(self) -> list[Piece]:
        if self._places and (error := next(self._fails, None)):
            raise error
        time.sleep(self._seconds)
        if self._waits is not None:
            self._waits.wait(30)
        pieces = []
        for name, place in self._places.items():
            finish = "stop" if place + 1 == len(self._text) else None
            pieces.append(
                Piece(id=name, text=self._text[place], tokens=place + 1, confidence=0.5, finish=finish)
            )
        self._places = {p.id: p.tokens for p in pieces if p.finish is None}
        return pieces

    def __len__(self) -> int:
        return len(self._places)


@pytest.fixture(scope="session")
def recited() -> type[Recited]:
    return Recited


def with_decoder(shelf: Shelf, make: Callable[[], Decoder], settings: Settings) -> Shelf:
    """The shelf with another decoder behind all that it serves."""
    worker = Worker(make, slots=settings.slots, queue=settings.queue, say=settings.say)
    served = tuple(replace(each, worker=worker) for each in shelf.served)
    return replace(shelf, served=served, workers=(worker,))


@contextmanager
def serving(
    run: FinishedRun, *, decoder: Callable[[], Decoder] | None = None, **options: Any
) -> Iterator[Serving]:
    """Serve a run in a thread of this process."""
    said: list[str] = []
    settings = Settings(say=said.append, port=0, **options)
    with bound("127.0.0.1", 0) as address:
        shelf = set_up(run, settings)
        if decoder is not None:
            shelf = with_decoder(shelf, decoder, settings)
        server = Server(shelf, settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [address]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            url = url_of(address)
            with httpx.Client(base_url=url, timeout=60, trust_env=False, verify=False) as client:
                yield Serving(url, shelf, server, client, said)
        finally:
            server.should_exit = True
            thread.join(20)
            shelf.close()
            assert not thread.is_alive()


Serve = Callable[..., contextlib.AbstractContextManager[Serving]]


@pytest.fixture(scope="session")
def serve(run: FinishedRun) -> Serve:
    """Return a function that serves the run with other settings: ``with serve(slots=1) as server:``."""
    return lambda **options: serving(run, **options)


@pytest.fixture(scope="module")
def server(run: FinishedRun) -> Iterator[Serving]:
    """The run, served as it is by default."""
    with serving(run) as started:
        yield started
