"""The contract for sources finds what does not keep it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_dsl.api import PlacedRow
from pipeline_dsl.testing import SourceContract

ROWS = [PlacedRow(f"x:{n}", {"n": n}) for n in range(4)]
CHECKS = [name for name in vars(SourceContract) if name.startswith("test_")]


class Source:
    """Rows as they should be; others below differ in one thing."""

    def prepare(self, say) -> None: ...

    def here(self):
        return True

    def files(self):
        return (Path(__file__),)

    def rows(self, start=0):
        yield from ROWS[start:]


class Eager(Source):
    def rows(self, start=0):
        return ROWS[start:]


class Deaf(Source):
    def rows(self, start=0):
        yield from ROWS


class Odd(Source):
    def rows(self, start=0):
        yield from [PlacedRow("x:1", {"n": (1, 2)})] * (4 - start)


class Gone(Source):
    def files(self):
        return (Path(__file__).with_name("none"),)


class Short(Source):
    def rows(self, start=0):
        yield from ROWS[start:2]


def broken_by(source, tmp_path):
    contract = SourceContract()
    contract.source = lambda folder: source
    found = set()
    for check in CHECKS:
        try:
            getattr(contract, check)(tmp_path)
        except (AssertionError, FileNotFoundError):
            found.add(check)
    return found


def test_a_source_that_keeps_it_passes(tmp_path):
    assert broken_by(Source(), tmp_path) == set()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (Eager, "read_when"),
        (Deaf, "from_a_start"),
        (Odd, "what_json_holds"),
        (Gone, "files_are_there"),
        (Short, "from_a_start"),
    ],
)
def test_one_that_does_not_is_found(tmp_path, source, says):
    assert any(says in check for check in broken_by(source(), tmp_path))
