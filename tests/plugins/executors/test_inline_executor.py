"""The executor ``inline``."""

import pytest

from medrecipe_plugins.executors.inline import Inline
from pipeline_dsl.api import GuardError, NoOptions


def test_it_returns_what_the_work_returns():
    assert Inline(NoOptions()).execute("first", lambda: 42) == 42


def test_what_the_work_raises_passes_through():
    def work():
        raise GuardError("no")

    with pytest.raises(GuardError):
        Inline(NoOptions()).execute("first", work)
