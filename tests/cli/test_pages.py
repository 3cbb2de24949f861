"""Every code has a page; its wrong example raises it and nothing else, its right one raises nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import pipeline_dsl
from pipeline_dsl.cli.page import Page, read_page, read_pages
from pipeline_dsl.diagnostics import Source
from pipeline_dsl.importing.codes import Code as ImportCode
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.recipe.codes import Code as RecipeCode
from pipeline_dsl.syntax.codes import Code as SyntaxCode
from pipeline_dsl.syntax.parser import parse

ROOT = Path(pipeline_dsl.__file__).parent
PLUGINS = ROOT.parent / "plugins"
PAGES = read_pages()
ABOUT = (ROOT / "cli" / "pages" / "README.md").read_text(encoding="utf-8")
SAMPLE = re.search(r"```sdn\n(.*?)```", ABOUT, re.DOTALL)[1]
ROW = re.search(r"```json\n(.*?)```", ABOUT, re.DOTALL)[1]
DECLARED = [
    *((c.value, c.what) for c in SyntaxCode),
    *((c.value, c.title) for c in RecipeCode),
    *((c.value, c.title) for c in ImportCode),
    *((c.code, c.title) for c in PlanCode),
]
TITLES = dict(DECLARED)


def codes_in_the_source() -> set[str]:
    files = [*ROOT.rglob("*.py"), *PLUGINS.rglob("*.py")]
    return {c for f in files for c in re.findall(r'"(MR\d{3})"', f.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("code", sorted(codes_in_the_source()))
def test_every_code_that_the_source_names_has_a_page(code):
    assert read_page(code) is not None


def test_every_page_is_about_a_code_that_the_source_names():
    assert {page.code for page in PAGES} - codes_in_the_source() == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.code)
def test_a_page_says_what_and_why_and_shows_it_or_says_why_not(page: Page):
    assert page.text.startswith(f"# {page.code}: {page.title}\n")
    assert page.title
    assert "\n## Why\n" in page.text
    shown = page.example("Wrong") is not None and page.example("Right") is not None
    assert shown or "shown by a text alone" in page.text or "shown by an example" in page.text


@pytest.mark.parametrize("code", sorted(TITLES))
def test_a_page_has_the_title_of_its_code(code):
    assert read_page(code).title == TITLES[code]


def test_no_code_means_two_things():
    codes = [code for code, _ in DECLARED]
    assert {code for code in codes if codes.count(code) > 1} == set()


def test_no_code_has_two_titles_and_no_title_two_codes():
    pairs = {*DECLARED, *((page.code, page.title) for page in PAGES)}
    for number in (0, 1):
        names = [pair[number] for pair in pairs]
        assert {name for name in names if names.count(name) > 1} == set()


def with_examples(*, notation: bool) -> list[Page]:
    return [p for p in PAGES if p.example("Wrong") is not None and p.code.startswith("MR1") is notation]


@pytest.mark.parametrize("page", with_examples(notation=True), ids=lambda page: page.code)
def test_an_example_of_the_notation_raises_its_code_and_no_other(page: Page):
    assert {d.code for d in parse(Source.of("page", page.example("Wrong"))).diagnostics} == {page.code}
    assert parse(Source.of("page", page.example("Right"))).diagnostics == ()


@pytest.mark.parametrize("page", with_examples(notation=False), ids=lambda page: page.code)
def test_an_example_of_a_recipe_raises_its_code_and_no_other(page: Page, medrecipe, tmp_path):
    files = {"sample.sdn": SAMPLE, "texts.jsonl": ROW, **page.files()}
    files |= {"wrong.sdn": laid_over(page.example("Wrong")), "right.sdn": laid_over(page.example("Right"))}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert found(medrecipe, "wrong.sdn") == {page.code}
    assert found(medrecipe, "right.sdn") == set()


def laid_over(example: str) -> str:
    """An example as a recipe of its own: laid over the sample, unless it is whole."""
    if "recipe:" in example:
        return example
    first, _, rest = example.partition("\n")
    if first.startswith("extends: "):
        return f"extends: [sample.sdn, {first.removeprefix('extends: ')}]\n{rest}"
    return f"extends: sample.sdn\n{example}"


def found(medrecipe, name: str) -> set[str]:
    return {d["code"] for d in json.loads(medrecipe("check", name, "--format", "json").out)["diagnostics"]}


def test_explain_prints_a_page(medrecipe):
    result = medrecipe("explain", "mr123")
    assert result.code == 0
    assert result.out == read_page("MR123").text.rstrip() + "\n"


def test_explain_prints_a_page_as_json(medrecipe):
    data = json.loads(medrecipe("explain", "MR123", "--json").out)
    assert (data["schema_version"], data["code"]) == (1, "MR123")


def test_explain_lists_all_codes(medrecipe):
    lines = medrecipe("explain").out.splitlines()
    assert [line[:5] for line in lines] == [page.code for page in PAGES]
    assert json.loads(medrecipe("explain", "--json").out)["codes"][0].keys() == {"code", "title"}


@pytest.mark.parametrize("name", ["../README", "README", "MR", "MR12", "mr1234", "", "MR12\n"])
def test_what_is_no_code_has_no_page(name):
    assert read_page(name.upper()) is None
