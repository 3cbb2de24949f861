"""Loading a recipe from a text, as every test of this folder does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from pipeline_dsl.recipe.load import Loaded, load_recipe

CASES = Path(__file__).parent / "cases"
SMALL = (CASES / "small.sdn").read_text(encoding="utf-8")


@pytest.fixture
def small() -> str:
    """A recipe of two phases in which nothing is wrong."""
    return SMALL


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Loaded]:
    """Write a recipe (and files beside it) and load it."""

    def write_and_load(
        text: str,
        *,
        beside: Mapping[str, str] | None = None,
        profile: str | None = None,
        sets: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Loaded:
        for name, content in {"recipe.sdn": text, **(beside or {})}.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8", newline="")
        return load_recipe(
            str(tmp_path / "recipe.sdn"), profile=profile, sets=sets, environment=environment or {}
        )

    return write_and_load
