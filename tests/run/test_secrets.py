"""Values from the environment steer a run and stand nowhere in what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline_dsl.cli.main import cli
from pipeline_dsl.run.redaction import is_redacted, redact

TOY = Path(__file__).with_name("toy_plugin.py")
SECRET = "kept-off-the-disk-42"


@pytest.fixture
def recipe(tmp_path) -> Path:
    data = tmp_path / SECRET
    data.mkdir()
    (data / "ones.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n', encoding="utf-8")
    path = tmp_path / "secret.sdn"
    path.write_text(
        f"""\
environment: [WHERE]
plugins = [{TOY}]
model: {{use: toy}}
adapters: {{a: {{use: table}}}}
data: {{ones: {{use: jsonl, path: "${{env:WHERE}}/ones.jsonl"}}}}
tasks |task, data, template, metric|
    ones, ones, plain_text, recall
train: {{use: loop}}
phases:
    first:
        stack |adapter, role|
            a, train
        mix |data, template, weight|
            ones, plain_text, 1
""",
        encoding="utf-8",
    )
    return path


def invoke(recipe: Path, *words: str) -> tuple[int, str]:
    done = CliRunner(env={"WHERE": SECRET}).invoke(
        cli, ["run", *words, "--runs", str(recipe.parent / "runs")]
    )
    return done.exit_code, done.output


def test_an_environment_value_is_used_and_written_nowhere(recipe):
    code, output = invoke(recipe, str(recipe))
    assert code == 0, output
    files = [p for p in (recipe.parent / "runs").rglob("*") if p.is_file()]
    assert any(p.name == "plan.json" for p in files)
    assert [p for p in files if SECRET.encode() in p.read_bytes()] == []


def test_such_a_run_goes_on_only_with_its_recipe(recipe):
    invoke(recipe, str(recipe))
    run = next((recipe.parent / "runs" / "secret").iterdir()).name
    code, output = invoke(recipe, "--resume", run)
    assert code == 2
    assert "name the RECIPE" in output
    code, output = invoke(recipe, str(recipe), "--resume", run)
    assert code == 0, output


def test_short_values_and_other_texts_stay_as_they_are():
    value = {"a": ["yes", f"x/{SECRET}/y", 3], "b": None}
    assert redact(value, [SECRET, "yes"]) == {"a": ["yes", "x/***/y", 3], "b": None}
    assert is_redacted(redact(value, [SECRET]))
    assert not is_redacted(value)
