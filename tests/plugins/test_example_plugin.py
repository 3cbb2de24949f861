"""A third party's distribution, installed into a folder of its own: a recipe uses what it offers by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "example_plugin"
RECIPE = """\
recipe: greeting
seed: 3
model:
    use: embedded
    layers: 2
    width: 64
    heads: 2
    kv_heads: 1
    mlp_width: 96
    vocabulary: 400
    max_positions: 128
    pretraining_steps: 1
    cache: cache
adapters:
    first: {use: lora, r: 2}
data:
    terms: {use: jsonl, path: terms.jsonl}
tasks |task, data, template, metric|
    length, terms, dictionary, {use: answer_length, unit: words}
phases:
    one:
        task: length
        stack |adapter, role|
            first, train
        mix |data, template, weight|
            terms, dictionary, 1
        train: {max_steps: 2, batch_size: 2, max_length: 96}
        hooks |on, every, when, do|
            completed, 1, "length.longest >= 0 or step > 0", {use: greet, words: 안녕}
"""


@dataclass(frozen=True)
class Shell:
    """A folder with a recipe, and a command line that finds the plugin, or not."""

    folder: Path
    site: Path

    def __call__(self, *words: str, installed: bool = True) -> subprocess.CompletedProcess[str]:
        paths = {"PYTHONPATH": str(self.site)} if installed else {}
        return subprocess.run(
            [sys.executable, "-m", "pipeline_dsl.cli.main", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": "1", **paths},
            check=False,
        )


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path_factory.mktemp("example")
    source, site = folder / "source", folder / "site"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*pip, "--target", str(site), str(source)], check=True, capture_output=True, text=True)
    (folder / "greeting.sdn").write_text(RECIPE, encoding="utf-8")
    rows = [{"english": e, "korean": k} for e, k in (("heart", "심장"), ("lung", "폐"), ("liver", "간"))]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "terms.jsonl").write_text(text, encoding="utf-8")
    return Shell(folder, site)


def test_what_it_offers_is_listed_under_its_name(shell: Shell):
    listed = json.loads(shell("plugins", "list", "--json").stdout)
    (plugin,) = (p for p in listed["plugins"] if p["name"] == "example")
    assert (plugin["distribution"], plugin["version"]) == ("medrecipe-example", "0.1.0")


def test_without_it_the_recipe_is_refused_and_both_names_are_told(shell: Shell):
    done = shell("check", "greeting.sdn", installed=False)
    assert done.returncode == 2
    assert "no plugin offers the metric `answer_length`" in done.stderr
    assert "no plugin offers the action `greet`" in done.stderr


def test_its_options_are_checked_as_those_of_the_built_ins(shell: Shell):
    done = shell("check", "greeting.sdn", "--set", "tasks.length.metric.units=words")
    assert done.returncode == 2
    assert "did you mean `unit`?" in done.stderr


def test_a_recipe_uses_its_metric_and_its_action_by_name(shell: Shell):
    done = shell("run", "greeting.sdn")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "안녕 from completed" in done.stdout
    run = json.loads(shell("runs", "list", "--json").stdout)["runs"][0]
    assert run["summary"].keys() == {"length"}
    plan = json.loads((shell.folder / "runs" / "greeting" / run["id"] / "plan.json").read_text("utf-8"))
    (task,) = plan["tasks"]
    assert task["metric"]["plugin"] == "example"
    assert task["metric"]["version"] == "1@medrecipe-example-0.1.0"
    assert task["metric"]["options"] == {"unit": "words"}
