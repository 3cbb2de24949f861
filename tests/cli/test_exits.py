from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_dsl.api.errors import DataError, GuardError, LockedError, MachineError, ModelError
from pipeline_dsl.cli.exits import exit_code, exit_code_of
from pipeline_dsl.diagnostics import Diagnostic, Severity


def codes(*names: str) -> list[Diagnostic]:
    return [Diagnostic(code=name, message="") for name in names]


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("MR101", 2), ("MR201", 2), ("MR305", 2), ("MR400", 2), ("MR449", 2), ("MR450", 4), ("MR455", 4),
        ("MR480", 6), ("MR481", 6), ("MR500", 3), ("MR506", 3), ("MR600", 5), ("MR610", 5), ("MR620", 7),
        ("MR900", 2), ("MR323", 2), ("MR468", 4), ("MR470", 4), ("MR496", 6), ("MR541", 3), ("MR602", 5), ("MR611", 5),
    ],
)  # fmt: skip
def test_a_code_has_its_exit_code(code, number):
    assert exit_code(codes(code)) == number


ERRORS = {c.__name__: c for c in (DataError, GuardError, LockedError, MachineError, ModelError)}


def raised() -> Iterator[tuple[str, str]]:
    """Every call of an error's class with a code: the class and the code."""
    root = Path(__file__).parents[2]
    for path in [*(root / "pipeline_dsl").rglob("*.py"), *(root / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                codes = [
                    k.value.value
                    for k in node.keywords
                    if k.arg == "code" and isinstance(k.value, ast.Constant)
                ]
                yield from ((node.func.id, code) for code in codes)


@pytest.mark.parametrize(("name", "code"), sorted(set(raised())))
def test_an_error_ends_a_command_with_the_exit_code_of_its_code(name, code):
    assert ERRORS[name].exit_code == exit_code_of(code)


def test_no_finding_is_fine():
    assert exit_code([]) == 0


def test_warnings_are_fine():
    assert exit_code([Diagnostic(code="MR309", message="", severity=Severity.WARNING)]) == 0


def test_a_recipe_error_among_others_decides():
    assert exit_code(codes("MR500", "MR201", "MR450")) == 2


def test_else_the_first_decides():
    assert exit_code(codes("MR500", "MR450")) == 3
    assert exit_code(codes("MR450", "MR500")) == 4
