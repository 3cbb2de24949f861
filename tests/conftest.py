from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, settings

from pipeline_dsl.cli.collecting import imports_spared

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: tests share the cores already
# The same examples every time; how long one takes says nothing on a shared machine.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
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


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[int]]:
    """Fixtures of the session keep what goes into the user's cache in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield count()


@pytest.fixture(autouse=True)
def cache_of_the_test(
    cache_of_the_session: Iterator[int],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So does every test."""
    folder = tmp_path_factory.getbasetemp() / "caches" / str(next(cache_of_the_session))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))


@pytest.fixture(scope="session", autouse=True)
def quick_collections() -> Iterator[None]:
    """As on the command line: accelerate has the garbage collected after every training."""
    with imports_spared():
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_disk() -> Iterator[None]:
    """No test cuts the power, so none waits for the disk. Where files are put on it is tested by counting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield
