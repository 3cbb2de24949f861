from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: tests share the cores already
# The same examples every time; how long one takes says nothing on a shared machine.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
pytest_plugins = ["pipeline_dsl.testing"]
_MANY_MODULES = 100


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


@pytest.fixture(scope="session")
def modules_out_of_sight() -> list[int]:
    """How many modules there were when what they hold was last taken out of the garbage collector's sight."""
    return [0]


@pytest.fixture(autouse=True)
def quick_collections(modules_out_of_sight: list[int]) -> None:
    """Libraries hold a million objects, which accelerate has collected after every training: half a second."""
    if len(sys.modules) - modules_out_of_sight[0] >= _MANY_MODULES:
        gc.collect()
        gc.freeze()
        modules_out_of_sight[0] = len(sys.modules)
