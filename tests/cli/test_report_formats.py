"""``--format sarif`` and ``github``: what code hosts and workflows read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pipeline_dsl.cli.annotations import as_annotations
from pipeline_dsl.cli.sarif import as_sarif
from pipeline_dsl.diagnostics import Diagnostic, Edit, Fix, Related, Severity, Source, Span

RANGE = {"type": "integer", "minimum": 1}
ARTIFACT = {
    "type": "object",
    "required": ["uri"],
    "properties": {"uri": {"type": "string", "pattern": r"^[A-Za-z0-9%._~/-]+$"}},
}
REGION = {
    "type": "object",
    "required": ["startLine", "startColumn", "endLine", "endColumn"],
    "properties": dict.fromkeys(("startLine", "startColumn", "endLine", "endColumn"), RANGE),
    "additionalProperties": False,
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "id": RANGE,
        "message": {"type": "object", "required": ["text"]},
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {"artifactLocation": ARTIFACT, "region": REGION},
        },
    },
}
FIX = {
    "type": "object",
    "required": ["artifactChanges"],
    "properties": {
        "artifactChanges": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["artifactLocation", "replacements"],
                "properties": {
                    "artifactLocation": ARTIFACT,
                    "replacements": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"required": ["deletedRegion"], "properties": {"deletedRegion": REGION}},
                    },
                },
            },
        }
    },
}
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "required": ["driver"],
                        "properties": {"driver": {"required": ["name", "rules"]}},
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "required": ["message", "ruleId", "level"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "locations": {"type": "array", "items": LOCATION},
                                "relatedLocations": {"type": "array", "items": LOCATION},
                                "fixes": {"type": "array", "items": FIX},
                            },
                        },
                    },
                },
            },
        },
    },
}
"""What SARIF 2.1.0 requires of the parts that are written (sections 3.14, 3.27 to 3.30, 3.55 to 3.57)."""


@pytest.fixture
def sarif(medrecipe, recipe):
    from jsonschema import Draft202012Validator

    def run(text: str) -> Any:
        recipe.write_text(recipe.read_text(encoding="utf-8") + text, encoding="utf-8")
        log = json.loads(medrecipe("check", "r.sdn", "--format", "sarif").out)
        Draft202012Validator(SARIF).validate(log)
        return log["runs"][0]

    return run


def test_a_clean_recipe_is_a_log_without_results(sarif):
    run = sarif("")
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_a_finding_has_its_rule_its_place_and_its_fix(sarif):
    run = sarif("sede: 7\n")
    (result,) = run["results"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("MR201", 0, "error")
    assert rule["id"] == "MR201"
    assert rule["help"]["markdown"].startswith("# MR201: ")
    place = result["locations"][0]["physicalLocation"]
    region = {"startLine": 28, "startColumn": 1, "endLine": 28, "endColumn": 5}
    assert place == {"artifactLocation": {"uri": "r.sdn"}, "region": region}
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["replacements"] == [{"deletedRegion": region, "insertedContent": {"text": "seed"}}]


def test_columns_count_code_points_as_the_log_says(sarif):
    run = sarif('description: "한국 😀"\n한국어모델이름: 1\n')
    assert run["columnKind"] == "unicodeCodePoints"
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert (region["startColumn"], region["endColumn"]) == (1, 8)


def test_second_places_are_related_locations(sarif):
    (result,) = sarif("seed: 7\nseed: 8\n")["results"]
    assert [r["physicalLocation"]["region"]["startLine"] for r in result["relatedLocations"]] == [28]


def test_a_file_is_a_relative_uri(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    source = Source.of(f"{tmp_path}/한국 어.sdn", "a: 1\n")
    log = json.loads(as_sarif([Diagnostic(code="MR201", message="m", span=Span(source, 0, 1))]))
    (place,) = log["runs"][0]["results"][0]["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "%ED%95%9C%EA%B5%AD%20%EC%96%B4.sdn"


@pytest.mark.parametrize("name", ["-", "--set"])
def test_what_stands_in_no_file_has_no_location_and_says_where_it_stands(name):
    span = Span(Source.of(name, "sede=7"), 0, 4)
    fix = Fix(message="write", edits=(Edit(span=span, text="seed"),))
    log = json.loads(as_sarif([Diagnostic(code="MR201", message="m", span=span, fixes=(fix,))]))
    (result,) = log["runs"][0]["results"]
    assert (result["locations"], result["message"]["text"]) == ([], f"{name}:1:1: m")
    assert "fixes" not in result


def test_annotations_are_workflow_commands(medrecipe, recipe):
    recipe.write_text(recipe.read_text() + "sede: 7\n")
    result = medrecipe("check", "r.sdn", "--format", "github")
    assert result.code == 2
    assert result.out == (
        "::error file=r.sdn,line=28,col=1,endLine=28,endColumn=5,title=MR201::"
        "`sede` is not a key at the top of a recipe%0Adid you mean `seed`?\n"
    )


def test_annotations_escape_what_would_end_them():
    source = Source.of("a,b:c%d.sdn", "x")
    found = Diagnostic(
        code="MR201",
        message="100 %\r\n::error::no",
        span=Span(source, 0, 1),
        severity=Severity.WARNING,
        related=(Related(message="m", span=Span(source, 0, 1)),),
    )
    line = as_annotations([found])
    assert line.startswith("::warning file=a%2Cb%3Ac%25d.sdn,line=1,")
    assert line.endswith("::100 %25%0D%0A::error::no")
    assert re.fullmatch(r"[^\r\n]+", line)


def test_a_finding_without_a_place_is_an_annotation_without_one():
    assert as_annotations([Diagnostic(code="MR600", message="m")]) == "::error title=MR600::m"
