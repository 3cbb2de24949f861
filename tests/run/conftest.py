"""Whole runs of three phases in milliseconds, on a toy model (``toy_plugin.py``)."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline_dsl.api import events, hookimpl
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import Catalog, build_catalog
from pipeline_dsl.run.request import RunOutcome, RunRequest
from pipeline_dsl.run.start import run_plan
from pipeline_dsl.syntax.machine import read_record

BENCH = Path(__file__).parents[1] / "bench" / "kills.py"
TOY = Path(__file__).with_name("toy_plugin.py")
RECIPE = f"""\
recipe: toys
seed: 7
plugins = [{TOY}]
model: {{use: toy}}
adapters:
    a: {{use: table}}
    b: {{use: table}}
    c: {{use: table}}
data:
    ones: {{use: jsonl, path: ones.jsonl}}
    twos: {{use: jsonl, path: twos.jsonl}}
    threes: {{use: jsonl, path: threes.jsonl}}
tasks |task, data, template, metric|
    ones, ones, plain_text, recall
    twos, twos, plain_text, recall
    calm, threes, plain_text, surprise
train: {{use: loop}}
phases:
    first:
        task: ones
        stack |adapter, role|
            a, train
        mix |data, template, weight|
            ones, plain_text, 1
    second:
        task: twos
        stack |adapter, role|
            a, merge
            b, train
        mix |data, template, weight|
            twos, plain_text, 1
    third:
        task: calm
        stack |adapter, role|
            a, merge
            b, merge
            c, train
        mix |data, template, weight|
            threes, plain_text, 1
"""


class Recorder:
    """Keeps every event that it hears, as plugins, trackers and displays do."""

    def __init__(self) -> None:
        self.heard: list[events.Event] = []

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.heard]

    def of(self, name: str) -> list[Any]:
        return [event for event in self.heard if event.name == name]

    def outline(self) -> list[str]:
        """Names in order, with phase and task, the training loop's inner events left out."""
        inner = {"iteration_started", "iteration_completed", "epoch_started", "epoch_completed"}
        words = [(e.name, getattr(e, "phase", None), getattr(e, "task", None)) for e in self.heard]
        return [" ".join(w for w in three if w) for three in words if three[0] not in inner]


def _listener(name: str) -> Callable[[Recorder, events.Event], None]:
    def hear(self: Recorder, event: events.Event) -> None:
        self.heard.append(event)

    hear.__name__ = name
    return hookimpl(hear)


for _event in events.EVENTS:
    setattr(Recorder, f"medrecipe_{_event.name}", _listener(f"medrecipe_{_event.name}"))


@dataclass
class Workshop:
    """A folder with the toys' data, room for runs, and what came of the last run."""

    folder: Path
    catalog: Catalog
    toy: ModuleType
    recorder: Recorder = field(default_factory=Recorder)
    said: list[str] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def rows(self, name: str, texts: Iterable[str]) -> Path:
        path = self.folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf-8")
        return path

    def plan(self, text: str = RECIPE, **choices: Any) -> Plan:
        path = self.folder / "toys.sdn"
        path.write_text(text, encoding="utf-8")
        loaded = load_recipe(str(path))
        assert loaded.recipe is not None, loaded.diagnostics
        plan, findings = check_recipe(loaded.recipe, self.catalog, **choices)
        assert plan is not None, findings
        return hash_files(plan)

    def run(self, text: str = RECIPE, **request: Any) -> RunOutcome:
        """Run a recipe; what was heard and said before is forgotten."""
        self.recorder = Recorder()
        self.said.clear()
        self.toy.LOADED.clear()
        listeners: Sequence[tuple[str, object]] = request.pop("listeners", ())
        wanted = RunRequest(
            plan=request.pop("plan", None) or self.plan(text),
            recipe_text=text,
            runs=self.runs,
            listeners=(("recorder", self.recorder), *listeners),
            say=self.said.append,
            **request,
        )
        return run_plan(wanted, self.catalog)

    def folders(self) -> list[Path]:
        """Every run's folder."""
        return sorted(p for p in (self.runs / "toys").iterdir() if p.is_dir())

    @property
    def last(self) -> Path:
        """The folder of the run that was run last, however it ended."""
        return self.runs / "toys" / self.recorder.of("run_start")[0].run

    def metadata(self, run: Path | None = None) -> dict[str, Any]:
        return read_record((run or self.last).joinpath("metadata.sdn").read_text("utf-8"))

    def phase(self, name: str, run: Path | None = None) -> dict[str, Any]:
        return json.loads((run or self.last).joinpath("phases", name, "phase.json").read_text("utf-8"))

    def adapter(self, phase: str, run: Path | None = None) -> bytes:
        return (run or self.last).joinpath("phases", phase, "adapter", "adapter.json").read_bytes()

    def metrics(self, run: Path | None = None) -> list[dict[str, Any]]:
        text = (run or self.last).joinpath("metrics.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="session")
def toys() -> Catalog:
    """The installed plugins and the toys."""
    return build_catalog(local=[str(TOY)])


@pytest.fixture
def workshop(tmp_path: Path, toys: Catalog) -> Workshop:
    (module,) = [m for name, m in toys.listeners if name == "toy_plugin"]
    assert isinstance(module, ModuleType)
    shop = Workshop(tmp_path, toys, module)
    for number, name in enumerate(("ones", "twos", "threes"), 1):
        shop.rows(name, [f"{name} {n}" for n in range(2 + number)])
    return shop


@pytest.fixture
def recipe() -> str:
    """Three phases, each merging what went before."""
    return RECIPE


@pytest.fixture
def with_train() -> Callable[..., str]:
    """The recipe with options of one phase's training: ``with_train("second", break_at=3)``."""

    def change(phase: str, text: str = RECIPE, **options: Any) -> str:
        words = ", ".join(f"{k}: {json.dumps(v)}" for k, v in options.items())
        return text.replace(f"    {phase}:\n", f"    {phase}:\n        train: {{{words}}}\n")

    return change


def with_hooks(text: str, *rows: str) -> str:
    return text + "hooks |on, every, when, do|\n" + "".join(f"    {row}\n" for row in rows)


@pytest.fixture
def hooked() -> Callable[..., str]:
    """A recipe with hooks of every phase."""
    return with_hooks


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As many as a process that is killed has: sums in another order are other bytes."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def kills() -> Any:
    """The bench of killed runs."""
    spec = importlib.util.spec_from_file_location("kills", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kills"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def forks(kills: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Starts runs in processes that can be killed; one is forked in no time, importing takes ten seconds."""
    with kills.forks(tmp_path_factory.mktemp("forks") / "log") as started:
        yield started
