from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipeline_dsl.api.events import EVENTS
from pipeline_dsl.api.providers import DATA_WORDS
from pipeline_dsl.cli.exported import exported
from pipeline_dsl.cli.record_schema import record_schema
from pipeline_dsl.cli.schema import schema_text
from pipeline_dsl.recipe.bind import TASK_COLUMNS, TOP_KEYS
from pipeline_dsl.recipe.contracts import RETAIN_COLUMNS
from pipeline_dsl.recipe.load import load_recipe, resolved
from pipeline_dsl.recipe.phases import HOOK_COLUMNS, MIX_COLUMNS, PHASE_KEYS, STACK_COLUMNS
from pipeline_dsl.recipe.schema import recipe_schema
from pipeline_dsl.recipe.stages import STAGE_COLUMNS
from pipeline_dsl.registry import build_catalog, installed_plugins
from pipeline_dsl.syntax.machine import read_record
from pipeline_dsl.syntax.nodes import plain
from pipeline_dsl.syntax.parser import parse
from pipeline_dsl.syntax.reading import read_source

ROOT = Path(__file__).parent.parent.parent
OURS = [e for e in installed_plugins() if e.dist is not None and e.dist.name == "medrecipe"]
SCHEMAS = exported(build_catalog(entries=OURS))
RECIPES = sorted((ROOT / "recipes").glob("*.sdn"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_exported_schema_is_fresh(name, regenerate):
    path = ROOT / "schemas" / name
    if regenerate:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(schema_text(SCHEMAS[name]), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == schema_text(SCHEMAS[name])


def test_there_is_no_schema_of_what_is_gone(regenerate):
    there = {p.relative_to(ROOT / "schemas").as_posix() for p in (ROOT / "schemas").rglob("*.json")}
    for name in there - set(SCHEMAS) if regenerate else ():
        (ROOT / "schemas" / name).unlink()
    assert there - set(SCHEMAS) == set() or regenerate


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_exported_schema_is_one(name):
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_schema_writes_all_of_them(medrecipe, tmp_path):
    result = medrecipe("schema", "--write", "out")
    assert (result.code, result.out) == (0, "")
    written = {
        p.relative_to(tmp_path / "out").as_posix(): p.read_text() for p in (tmp_path / "out").rglob("*.json")
    }
    assert written.keys() >= SCHEMAS.keys()
    assert written["providers/adapter.lora.json"].endswith("}\n")
    assert json.loads(written["plan.json"]) == SCHEMAS["plan.json"]


def test_schema_into_a_file_is_a_usage_error(medrecipe, tmp_path):
    (tmp_path / "out").write_text("x")
    assert medrecipe("schema", "--write", "out").code == 2


def columns(schema: dict[str, Any]) -> set[str]:
    return set(schema["anyOf"][0]["items"]["properties"]) - {"like"}


def test_the_recipe_schema_has_every_key_of_the_language():
    top = recipe_schema()["properties"]
    phase = top["phases"]["additionalProperties"]["properties"]
    assert set(top) == set(TOP_KEYS)
    assert set(phase) == {*PHASE_KEYS, "like"}
    assert columns(top["tasks"]) == set(TASK_COLUMNS)
    assert columns(top["hooks"]) == columns(phase["hooks"]) == set(HOOK_COLUMNS)
    assert columns(phase["stack"]) == set(STACK_COLUMNS)
    assert columns(phase["mix"]) == set(MIX_COLUMNS)
    assert columns(phase["stages"]) == set(STAGE_COLUMNS)
    assert columns(phase["retain"]) == set(RETAIN_COLUMNS)
    assert set(top["data"]["additionalProperties"]["properties"]) == {*DATA_WORDS, "use", "like"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_fits_the_recipe_schema_as_written_and_as_resolved(path):
    source, _ = read_source(str(path))
    check = Draft202012Validator(SCHEMAS["recipe.json"]).validate
    check(plain(parse(source).root))
    check(resolved(load_recipe(str(path))))


@pytest.mark.parametrize(
    "change", [{"sede": 7}, {"seed": "7"}, {"phases": {"one": {"stack": [{"adapter": "a", "role": "x"}]}}}]
)
def test_a_wrong_recipe_does_not_fit(change):
    assert not Draft202012Validator(SCHEMAS["recipe.json"]).is_valid(change)


def as_written(path: Path) -> dict[str, Any]:
    return plain(parse(read_source(str(path))[0]).root)


def typo(data: dict[str, Any], *steps: str, key: str, wrong: str) -> dict[str, Any]:
    block = data
    for step in steps:
        block = block[step]
    block[wrong] = block.pop(key)
    return data


@pytest.mark.parametrize(
    ("steps", "key", "wrong"),
    [
        ((), "tags", "tagz"),
        (("data", "exam"), "path", "paht"),
        (("phases", "mcq"), "stack", "stac"),
        (("profiles", "tiny"), "train", "trian"),
        (("profiles", "tiny", "train"), "epochs", "epoch"),
        (("profiles", "tiny", "model"), "architecture", "architectur"),
        (("profiles", "27b", "adapters", "korean"), "alpha", "aplha"),
    ],
)
def test_a_misspelt_key_does_not_fit_at_any_depth(steps, key, wrong):
    validator = Draft202012Validator(SCHEMAS["recipe.json"])
    data = as_written(ROOT / "recipes" / "medgemma_korean.sdn")
    if key == "epochs":
        data["profiles"]["tiny"]["train"]["epochs"] = 3
    assert validator.is_valid(data)
    assert not validator.is_valid(typo(data, *steps, key=key, wrong=wrong))


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"model": {"use": "causal_lm", "name": "a/b"}}, True),
        ({"model": {"use": "causal_lm/causal_lm", "name": "a/b"}}, True),
        ({"model": {"use": "causal_ml", "name": "a/b"}}, False),
        ({"model": {"use": "embedded", "name": "a/b"}}, False),
        ({"adapters": {"a": {"use": "lora", "r": 8}}}, True),
        ({"adapters": {"a": {"use": "lora", "r": "8"}}}, False),
        ({"adapters": {"a": {"use": "lora", "r": "${seed}"}}}, True),
        ({"adapters": {"a": {"like": "b", "r": 8}}}, True),
        ({"adapters": {"a": {"like": "b", "rank": 8}}}, False),
        ({"hooks": [{"on": "epoch_completed", "do": "evaluate"}]}, True),
        ({"hooks": [{"on": "epoch_completed", "do": "evaluat"}]}, False),
        ({"hooks": [{"on": "epoch_completed", "do": {"use": "evaluate", "task": ["a"]}}]}, False),
        ({"tasks": [{"task": "a", "data": "b", "template": "own", "metric": "perplexity"}]}, True),
        ({"tasks": [{"task": "a", "data": "b", "template": "own", "metric": "perplexty"}]}, False),
        ({"data": {"a": {"use": "jsonl", "path": "x", "limit": 5}}}, True),
        ({"data": {"a": {"use": "jsonl", "path": "x", "delimiter": ","}}}, False),
        ({"train": {"epochs": 1}}, True),
        ({"train": {"epochz": 1}}, False),
    ],
)
def test_use_decides_which_options_fit(change, fits):
    assert Draft202012Validator(SCHEMAS["recipe.json"]).is_valid(change) is fits


def test_schema_prints_the_recipe_s_for_the_plugins_that_are_installed(medrecipe, recipe):
    ours = medrecipe("schema")
    assert ours.code == 0
    assert json.loads(ours.out)["title"] == "A medrecipe recipe"
    assert "fake" not in json.loads(ours.out)["$defs"]["use_adapter"]["anyOf"][0]["enum"]
    more = json.loads(medrecipe("schema", "--plugin", "fake_plugin.py").out)
    assert "fake" in more["$defs"]["use_adapter"]["anyOf"][0]["enum"]


def test_what_a_run_writes_fits_the_schemas(medrecipe, recipe, tmp_path):
    assert medrecipe("run", "r.sdn").code == 0
    (run,) = (tmp_path / "runs" / "연습").iterdir()
    fits("plan.json", json.loads((run / "plan.json").read_text()))
    fits("run-metadata.json", read_record((run / "metadata.sdn").read_text()))
    for line in (run / "metrics.jsonl").read_text().splitlines():
        fits("metrics-record.json", json.loads(line))
    for path in run.glob("phases/*/adapter/stack.json"):
        fits("stack-manifest.json", json.loads(path.read_text()))


def fits(name: str, value: object) -> None:
    Draft202012Validator(SCHEMAS[name]).validate(value)


def test_a_line_of_metrics_may_be_any_event():
    assert len(SCHEMAS["metrics-record.json"]["oneOf"]) == len(EVENTS)


def test_a_record_with_a_type_that_json_has_not_is_refused():
    record = dataclasses.make_dataclass("Record", [("value", complex)])
    with pytest.raises(TypeError, match="complex"):
        record_schema(record, "x")
