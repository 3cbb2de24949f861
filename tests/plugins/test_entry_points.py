"""What is installed is what the project's file says."""

from __future__ import annotations

import tomllib
from importlib.metadata import distribution
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_installed_entry_points_are_those_of_the_project():
    wanted = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    found: dict[str, dict[str, str]] = {}
    for entry in distribution("medrecipe").entry_points:
        found.setdefault(entry.group, {})[entry.name] = entry.value
    expected = {"console_scripts": wanted["scripts"], **wanted["entry-points"]}
    assert found == expected, "reinstall: pip install -e ."
