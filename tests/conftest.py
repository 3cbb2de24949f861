from __future__ import annotations

import pytest

pytest_plugins = ["pipeline_dsl.testing"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="write the expected output of the pages under tests/cases and the exported schemas anew",
    )


@pytest.fixture
def regenerate(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--regenerate"))
