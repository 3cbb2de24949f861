"""Runs that are killed with SIGKILL and resumed, held against one that nothing disturbed.

python tests/bench/kills.py [--points N] [--seed N] [--json]

Two phases of a model of some thousand weights, with dropout, shuffling, accumulation, a weighted mix, a stream, scores
and kept weights. Each run is a process of its own, forked from one that has imported everything. It is killed at a named
point by itself, or at a random time from outside; then it is resumed to its end. Compared are the adapters, every
checkpoint that both runs wrote (weights, optimizer, schedule, random numbers, sums, place in the stream) byte for byte,
and the figures of every step and score.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECIPE = """\
recipe: killed
seed: 5
device: cpu
model:
    use: embedded
    architecture: gemma3
    layers: 2
    width: 32
    heads: 2
    kv_heads: 1
    mlp_width: 48
    vocabulary: 400
    max_positions: 128
    pretraining_steps: 1
    cache: CACHE
adapters:
    korean: {use: lora, r: 4, alpha: 8, dropout: 0.1, target_modules: all-linear}
    terms: {like: korean, r: 2}
data:
    texts: {use: jsonl, path: texts.jsonl}
    terms: {use: jsonl, path: terms.jsonl}
    flow: {use: jsonl, path: terms.jsonl, streaming: true, shuffle_buffer: 4}
tasks |task, data, template, metric, limit|
    fluency, texts, plain_text, perplexity, 4
train: {epochs: 2, batch_size: 2, grad_accum: 2, learning_rate: 1e-3, max_length: 96, save_steps: 3, warmup_ratio: 0.2}
phases:
    plain:
        task: fluency
        stack |adapter, role|
            korean, train
        mix |data, template, weight|
            texts, plain_text, 1
            terms, dictionary, 0.5
    stream:
        stack |adapter, role|
            korean, merge
            terms, train
        mix |data, template, weight|
            flow, dictionary, 0.75
            texts, plain_text, 0.25
        train: {max_steps: 8}
        hooks |on, every, do|
            iteration_completed, 2, {use: evaluate, tasks: [fluency]}
            evaluation_completed, 1, {use: keep_best, task: fluency}
"""
"""Phase `plain` has two epochs of four steps, of 15 samples; `stream` has one of eight."""
TEXTS = [{"text": f"고혈압은 혈압이 높은 병이다. {n} mmHg{'!' * (n % 7)}."} for n in range(120, 130)]
TERMS = [
    {"english": e, "korean": k}
    for e, k in (("heart", "심장"), ("lung", "폐"), ("liver", "간"), ("kidney", "콩팥"), ("artery", "동맥"))
]
Point = Mapping[str, Any]
NAMED: dict[str, Point] = {
    "first step": {"event": "iteration_completed", "phase": "plain", "step": 1},
    "mid-epoch": {"event": "iteration_completed", "phase": "plain", "step": 2},
    "last step of an epoch": {"event": "iteration_completed", "phase": "plain", "step": 4},
    "first step of the next": {"event": "iteration_completed", "phase": "plain", "step": 5},
    "during a checkpoint": {"file": ".checkpoint-6.tmp/trainer_state.json"},
    "as it is sealed": {"file": ".checkpoint-6.tmp/.complete.json.tmp"},
    "between phases": {"event": "phase_end", "phase": "plain"},
    "within the stream": {"event": "iteration_completed", "phase": "stream", "step": 5},
}
IMPORTED = (
    "pipeline_dsl.run.start",
    "medrecipe_plugins.models._embedded",
    "medrecipe_plugins.adapters._lora",
    "medrecipe_plugins.adapters._saving",
    "medrecipe_plugins.trainers._packed_training",
    "peft.tuners.lora.bnb",
    "transformers.models.gemma3.modeling_gemma3",
)
"""What a run would import, so that one that is forked need not."""
FIGURES = ("loss", "grad_norm", "learning_rate", "label_tokens")


class Watcher:
    """A listener: copies every checkpoint, and acts at a point."""

    def __init__(self, runs: Path, point: Point) -> None:
        from pipeline_dsl.api import events, hookimpl

        self._runs = runs
        self._point = point
        for event in events.EVENTS:

            def hear(event: Any) -> None:
                self._hear(event)

            setattr(self, f"medrecipe_{event.name}", hookimpl(hear))

    def _hear(self, event: Any) -> None:
        if event.name in {"checkpoint_saved", "completed"}:
            for folder in self._runs.glob(f"killed/*/phases/{event.phase}/checkpoints/checkpoint-*"):
                self._copy(folder, self._runs / "seen" / f"{event.phase}-{folder.name}")
        wanted = {k: v for k, v in self._point.items() if k in {"event", "phase", "step"}}
        here = {k: event.name if k == "event" else getattr(event, k, None) for k in wanted}
        if wanted and here == wanted:
            self._act()

    def _act(self) -> None:
        """End this process; or wait for a signal; or allow no file of more than some bytes any more."""
        if "wait" in self._point:
            (self._runs / "waiting").touch()
            time.sleep(self._point["wait"])
        elif "full" in self._point:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._point["full"], self._point["full"]))
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def _copy(folder: Path, target: Path) -> None:
        if not target.exists():
            partial = target.with_name(f".{target.name}.{os.getpid()}")
            shutil.copytree(folder, partial)
            partial.rename(target)


def carry_out(order: Mapping[str, Any]) -> int:
    """One run in this process, from a plan on disk; return its exit code."""
    from pipeline_dsl.plan.plan_json import from_json
    from pipeline_dsl.registry import build_catalog
    from pipeline_dsl.run.request import RunRequest
    from pipeline_dsl.run.start import run_plan

    point, runs = order["kill"] or {}, Path(order["runs"])

    def opened(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open" and str(arguments[0]).endswith(point["file"]):
            os.kill(os.getpid(), signal.SIGKILL)

    if "file" in point:
        sys.addaudithook(opened)
    plan = from_json(json.loads(Path(order["plan"]).read_text("utf-8")))
    request = RunRequest(
        plan=plan, recipe_text="", runs=runs, resume=order["resume"],
        listeners=(("watcher", Watcher(runs, point)),),
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )  # fmt: skip
    return run_plan(request, build_catalog()).exit_code


def serve() -> None:
    """Import everything, then fork one process an order: its id is written, and how it ended."""
    import torch

    for name in IMPORTED:
        importlib.import_module(name)
    from pipeline_dsl.api import MedrecipeError

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # what is imported is looked through by no collection of a child, nor copied for it
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            try:
                code = carry_out(json.loads(line))
            except BaseException as error:  # noqa: BLE001 - the child of a fork must not go on
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
                code = error.exit_code if isinstance(error, MedrecipeError) else 1
            os._exit(code)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


@dataclass
class Forks:
    """Starts runs in processes of their own, one at a time, forked from one that has imported everything."""

    server: subprocess.Popen[str]
    log: Path

    def start(self, plan: Path, runs: Path, kill: Point | None = None, resume: str | None = None) -> int:
        """Begin a run, or go on with one; return its process."""
        order = {"plan": str(plan), "runs": str(runs), "kill": kill, "resume": resume}
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        return self._number()

    def wait(self) -> int:
        """Wait for the run that was begun; return its exit code, or the negative signal that ended it."""
        return os.waitstatus_to_exitcode(self._number())

    def _number(self) -> int:
        assert self.server.stdout is not None
        return int(self.server.stdout.readline())


@contextmanager
def forks(log: Path) -> Iterator[Forks]:
    """Have a process ready to start runs; what they say is in the log."""
    with log.open("w", encoding="utf-8") as said:
        server = subprocess.Popen(
            [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
            text=True, encoding="utf-8", env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            yield Forks(server, log)
        finally:
            assert server.stdin is not None
            server.stdin.close()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()


@dataclass
class Workshop:
    """A folder with the recipe and its data, and what starts runs."""

    folder: Path
    forks: Forks

    def run(self, name: str, kill: Point | None = None, after: float | None = None) -> bool:
        """Begin a run, or go on with the one of that name; return whether it came to its end.

        Args:
            name: of the folder of runs.
            kill: the point at which it is to end.
            after: seconds after which it is killed.
        """
        child = self.start(name, kill)
        if after is not None:
            time.sleep(after)
            with suppress(ProcessLookupError):  # it came to its end before
                os.kill(child, signal.SIGKILL)
        code = self.wait()
        assert code in {0, -signal.SIGKILL}, f"run {name} failed with {code}"
        return code == 0

    def start(self, name: str, kill: Point | None = None) -> int:
        """Begin a run, or go on with the one of that name; return its process."""
        runs = self.folder / name
        (runs / "seen").mkdir(parents=True, exist_ok=True)
        begun = [p.parent.name for p in runs.glob("killed/*/plan.json")]
        if not begun:
            shutil.rmtree(runs / "killed", ignore_errors=True)
        return self.forks.start(self.folder / "plan.json", runs, kill, begun[0] if begun else None)

    def wait(self) -> int:
        """Wait for the run that was begun; return its exit code, or the negative signal that ended it."""
        return self.forks.wait()

    def differences(self, name: str, whole: str = "whole") -> list[str]:
        """What a run that came to its end has otherwise than the one that nothing disturbed."""
        ours, theirs = (facts(self.folder / n) for n in (name, whole))
        found = [f"{key} differs" for key in ours.keys() & theirs.keys() if ours[key] != theirs[key]]
        needed = {
            key for key in theirs if not key.startswith("checkpoint ") or key in last_checkpoints(theirs)
        }
        return [*found, *(f"{key} is not there" for key in needed - ours.keys())]


def facts(runs: Path) -> dict[str, Any]:
    """Everything about a run that has to be the same, by a name for people."""
    (run,) = (p for p in (runs / "killed").iterdir() if p.is_dir())
    found: dict[str, Any] = {
        f"file {path.relative_to(run)}": path.read_bytes() for path in run.glob("phases/*/adapter/adapter_*")
    }
    for path in (runs / "seen").rglob("*/*"):
        found[f"checkpoint {path.relative_to(runs / 'seen')}"] = path.read_bytes()
    for line in map(json.loads, (run / "metrics.jsonl").read_text("utf-8").splitlines()):
        match line["event"]:
            case "iteration_completed":
                key, value = f"step {line['phase']}/{line['step']}", [line[name] for name in FIGURES]
            case "epoch_completed":
                key, value = f"epoch {line['phase']}/{line['epoch']}", line["loss"]
            case "evaluation_completed":
                key, value = f"score {line['phase']}/{line['task']}/{line['step']}", line["score"]["value"]
            case _:
                continue
        if found.setdefault(key, value) != value:
            found[f"{key}, again"] = value
    for record in run.glob("phases/*/phase.json"):
        metrics = json.loads(record.read_text("utf-8"))["metrics"]
        names = ("steps", "epochs", "loss", "label_tokens", "stopped", "kept_step", "fluency")
        found[f"outcome {record.parent.name}"] = [metrics.get(name) for name in names]
    return found


def last_checkpoints(found: Mapping[str, Any]) -> set[str]:
    """The names of the files of the last checkpoint of each phase."""
    names = [key.split()[1].split("/")[0] for key in found if key.startswith("checkpoint ")]
    last = {
        phase: max(int(n.rpartition("-")[2]) for n in names if n.startswith(f"{phase}-")) for phase in PHASES
    }
    return {
        key
        for key in found
        for phase, step in last.items()
        if key.startswith(f"checkpoint {phase}-checkpoint-{step}/")
    }


PHASES = ("plain", "stream")


def workshop(folder: Path, forks: Forks) -> Workshop:
    """Write the recipe, its data and its plan into a folder."""
    from pipeline_dsl.plan.check import check_recipe
    from pipeline_dsl.plan.hashing import hash_files
    from pipeline_dsl.plan.plan_json import to_json
    from pipeline_dsl.recipe.load import load_recipe
    from pipeline_dsl.registry import build_catalog

    for name, rows in (("texts", TEXTS), ("terms", TERMS)):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    (folder / "killed.sdn").write_text(RECIPE.replace("CACHE", str(folder / "cache")), encoding="utf-8")
    loaded = load_recipe(str(folder / "killed.sdn"))
    assert loaded.recipe is not None, loaded.diagnostics
    plan, findings = check_recipe(loaded.recipe, build_catalog())
    assert plan is not None, findings
    (folder / "plan.json").write_text(json.dumps(to_json(hash_files(plan))), encoding="utf-8")
    return Workshop(folder, forks)


def measure(folder: Path, points: int, seed: int) -> list[dict[str, Any]]:
    """Kill runs at every named point, at random times, and twice; return a row a run."""
    chooser = random.Random(seed)
    rows: list[dict[str, Any]] = []
    with forks(folder / "server.log") as started:
        shop = workshop(folder, started)
        shop.run("warm")
        began = time.monotonic()
        assert shop.run("whole"), "the run that nothing disturbs"
        seconds = time.monotonic() - began

        def row(what: str, name: str, kills: Sequence[tuple[Point | None, float | None]]) -> None:
            survived = [shop.run(name, point, after) for point, after in kills]
            done = shop.run(name) if not survived[-1] else True
            found = shop.differences(name) if done else ["it does not come to its end"]
            rows.append({"killed": what, "kills": survived.count(False), "differences": found})
            print(f"{what:34} {survived.count(False)} killed  {'; '.join(found) or 'the same'}", flush=True)

        for number, (what, point) in enumerate(NAMED.items()):
            row(what, f"named-{number}", [(point, None)])
        first, second = NAMED["first step of the next"], NAMED["within the stream"]
        row("twice: in each phase", "twice-0", [(first, None), (second, None)])
        for number in range(points):
            moment = chooser.uniform(0.02, 0.9) * seconds
            row(f"after {moment:.2f} of {seconds:.2f} s", f"random-{number}", [(None, moment)])
        for number in range(points // 5):
            one, other = (chooser.uniform(0.02, 0.6) * seconds for _ in range(2))
            row(
                f"after {one:.2f} s, again {other:.2f} s", f"twice-{number + 1}", [(None, one), (None, other)]
            )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=20, help="random times")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), asked.points, asked.seed)
    different = sum(bool(row["differences"]) for row in rows)
    if asked.json:
        print(json.dumps(rows, indent=2))
    print(f"{len(rows)} runs, {sum(row['kills'] for row in rows)} kills, {different} with a difference")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
