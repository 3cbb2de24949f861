"""Faults 24, 30 and 39: rows that differ, cases on both sides of a split, personal data."""

from __future__ import annotations

import json

from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.views import view_of
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import build_catalog

SOURCE = "    texts: {use: jsonl, path: texts.jsonl}\n"


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def refused(bench, recipe: str, rows: str, code: str) -> str:
    """Check is content with the first rows; plan and run read all of them and refuse before any training."""
    bench.accepts(recipe, files={"texts.jsonl": rows})
    for command in ("plan", "run"):
        outcome = bench.run(command, "r.sdn")
        assert outcome.code == 3, outcome.both
        assert f"error[{code}]: " in outcome.err
        assert "help: " in outcome.err
        assert not list(bench.folder.glob("runs/*/*/phases/*/adapter"))
    return outcome.both


def test_fault_24_rows_with_other_columns_are_3_with_counts_and_the_first_place(bench, recipe):
    rows = [{"text": f"sentence {n}"} for n in range(8)]
    rows[6:6] = [{"txt": "one"}, {"txt": "two"}]
    told = refused(bench, recipe, lines(*rows), "MR506")
    assert "column `text`, which the template needs, is missing in 2 of 10 rows" in told
    assert "texts.jsonl:7" in told


def test_fault_24_rows_that_lack_what_the_filter_asks_for_are_3_with_counts(bench, recipe):
    text = recipe.replace(SOURCE, SOURCE.replace("}", ', filter: "year != 3"}'))
    rows = [{"text": "a", "year": n} for n in range(5)]
    told = refused(bench, text, lines(*rows, {"text": "b"}), "MR521")
    assert "column `year`, which the data block asks for, is missing in 1 of 6 rows" in told
    assert "texts.jsonl:6" in told


def test_fault_30_the_questions_of_one_case_are_on_one_side_of_a_grouped_split(bench, recipe, monkeypatch):
    text = recipe.replace(SOURCE, SOURCE.replace("}", ", split: 0.7/0.3, group_by: case}"))
    text = text.replace("fluency, texts,", "fluency, texts.validation,")
    text = text.replace("            texts, plain_text", "            texts.train, plain_text")
    cases = [{"text": f"case {n % 20}, question {n}", "case": f"Case {n % 20}"} for n in range(60)]
    bench.accepts(text, files={"texts.jsonl": lines(*cases)})
    catalog = build_catalog()
    plan, _ = check_recipe(load_recipe("r.sdn").recipe, catalog)
    train, asked = (
        {row["case"] for _, row in view_of(plan, f"texts.{part}", catalog).rows()}
        for part in ("train", "validation")
    )
    assert (len(train), len(asked)) == (14, 6)
    assert not train & asked


def test_fault_39_personal_data_is_3_where_it_is_denied_and_is_never_shown(bench, recipe):
    text = recipe.replace(SOURCE, SOURCE.replace("}", ", pii: deny}"))
    rows = [{"text": f"fine {n}"} for n in range(6)]
    rows += [{"text": "주민등록번호 900101-1234567, 전화 010-1234-5678"}, {"text": "kim@example.com"}]
    told = refused(bench, text, lines(*rows), "MR520")
    assert "1 resident registration number (first at " in told
    assert "1 phone number (first at " in told
    assert "1 e-mail address (first at " in told
    assert "texts.jsonl:7" in told
    for secret in ("900101", "1234567", "1234-5678", "kim@", "example.com"):
        assert secret not in told
    for path in bench.folder.glob("runs/**/*"):
        if path.is_file() and path.name != "texts.jsonl":
            assert b"900101" not in path.read_bytes()


def test_fault_39_personal_data_is_accepted_where_nothing_is_said(bench, recipe):
    bench.accepts(recipe, files={"texts.jsonl": lines({"text": "010-1234-5678"})})
