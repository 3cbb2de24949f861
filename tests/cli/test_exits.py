from __future__ import annotations

import pytest

from pipeline_dsl.cli.exits import exit_code
from pipeline_dsl.diagnostics import Diagnostic, Severity


def codes(*names: str) -> list[Diagnostic]:
    return [Diagnostic(code=name, message="") for name in names]


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("MR101", 2), ("MR201", 2), ("MR305", 2), ("MR400", 2), ("MR449", 2), ("MR450", 4), ("MR455", 4),
        ("MR480", 6), ("MR481", 6), ("MR500", 3), ("MR530", 3), ("MR600", 5), ("MR610", 5), ("MR620", 7),
        ("MR900", 2),
    ],
)  # fmt: skip
def test_a_code_has_its_exit_code(code, number):
    assert exit_code(codes(code)) == number


def test_no_finding_is_fine():
    assert exit_code([]) == 0


def test_warnings_are_fine():
    assert exit_code([Diagnostic(code="MR309", message="", severity=Severity.WARNING)]) == 0


def test_a_recipe_error_among_others_decides():
    assert exit_code(codes("MR500", "MR201", "MR450")) == 2


def test_else_the_first_decides():
    assert exit_code(codes("MR500", "MR450")) == 3
    assert exit_code(codes("MR450", "MR500")) == 4
