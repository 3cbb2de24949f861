from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from fnmatch import fnmatch
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from pipeline_dsl.cli.collecting import imports_spared

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: tests share the cores already
os.environ.pop(
    "PYTHONDONTWRITEBYTECODE", None
)  # processes that tests start find compiled what the first compiled
# The same examples every time; how long one takes says nothing on a shared machine.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
pytest_plugins = ["pipeline_dsl.testing"]
HERE = Path(__file__).parent
GROUPS = (
    "serving/*",
    "run/test_real*.py run/test_kills.py",
    "used/*",
    "recipes/* flagship/*",
    "language_server/*",
)
"""Files whose tests share what takes seconds to make; each group is tested by one process."""
LONG = ("plugins/adapters/*", "run/*", "importing/test_accounting.py", "plugins/*", "faults/*")
"""What takes longest after those; what comes last should be short, or one process waits for the other."""


def group_of(file: Path) -> str:
    """What is tested together with a file, or the file itself."""
    name = file.relative_to(HERE).as_posix() if file.is_relative_to(HERE) else file.as_posix()
    return next((group for group in GROUPS if fits(name, group)), name)


def fits(name: str, patterns: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns.split())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first; within a group or a file all stays as it stands there."""

    def place(item: pytest.Item) -> tuple[int, str]:
        group = group_of(item.path)
        if group in GROUPS:
            return GROUPS.index(group), group
        found = next((n for n, pattern in enumerate(LONG) if fits(group, pattern)), len(LONG))
        return len(GROUPS) + found, ""

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return what gives each process a group or a file at a time, in the order in which they were collected."""
    from xdist.scheduler import LoadFileScheduling

    class Groups(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(config.rootpath / nodeid.split("::", 1)[0])

    return Groups(config, log)


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


@settings(max_examples=1)
@given(strategies.none())
def begin(nothing: None) -> None:
    """Hold of nothing."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Collect garbage as the command line does: tests import as much, and accelerate collects after trainings."""
    begin()  # Hypothesis asks the collector who knows its random numbers, which what is set aside hides
    spared = ExitStack()
    spared.enter_context(imports_spared())
    session.config.add_cleanup(spared.close)


@pytest.fixture(scope="session", autouse=True)
def quick_disk() -> Iterator[None]:
    """No test cuts the power, so none waits for the disk. Where files are put on it is tested by counting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield
