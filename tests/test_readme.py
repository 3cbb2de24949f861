"""What the README and the plugin guide show works as they show it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline_dsl.api.providers import Kind
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.testing import ProviderContract

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "plugins" / "README.md")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def test_the_recipe_of_the_readme_is_fine(tmp_path):
    recipe = next(b for b in blocks(PAGES[0], "sdn") if b.startswith("recipe:"))
    (tmp_path / "first.sdn").write_text(recipe, encoding="utf-8")
    (tmp_path / "data").symlink_to(ROOT / "recipes" / "data")
    loaded = load_recipe(str(tmp_path / "first.sdn"))
    assert loaded.diagnostics == ()
    plan, findings = check_recipe(loaded.recipe, build_catalog())
    assert findings == ()
    assert [p.name for p in plan.phases] == ["plain_text", "medical_dict"]


@pytest.mark.parametrize("page", PAGES, ids=["readme", "plugins"])
def test_the_plugin_of_fifteen_lines_is_one(page, tmp_path):
    code = next(b for b in blocks(page, "python") if "class Polite" in b)
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    (tmp_path / "polite.py").write_text(code, encoding="utf-8")
    catalog = build_catalog(local=[str(tmp_path / "polite.py")])
    (offer,) = catalog.find(Kind.METRIC, "polite")
    metric = offer.provider.factory(offer.provider.options())
    assert offer.plugin.name == "polite"
    assert metric.max_new_tokens == 64


def test_every_file_that_the_pages_link_to_is_there():
    for page in (*PAGES, ROOT / "recipes" / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_command_of_the_readme_exists():
    from pipeline_dsl.cli.main import cli

    text = "\n".join(blocks(PAGES[0], ""))
    named = set(re.findall(r"^medrecipe ([a-z]+)", text, re.MULTILINE))
    assert {"check", "plan", "run", "eval", "resolve", "explain", "runs", "plugins"} <= named
    assert named <= set(cli.list_commands(None))  # type: ignore[arg-type]  # it looks at no context


def test_the_contract_class_that_the_guide_names_is_there():
    assert {"kind", "provider"} <= set(ProviderContract.__annotations__)
