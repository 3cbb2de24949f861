"""Objects of imports are set aside from the garbage collector; what else there is stays in its sight."""

from __future__ import annotations

import gc
import sys
import types

import pytest

from pipeline_dsl.cli.collecting import imports_spared


@pytest.fixture
def frozen_before() -> int:
    gc.collect()
    return gc.get_freeze_count()


def import_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        name = f"module_of_a_library_{number}"
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))


def test_after_many_imports_a_full_collection_sets_their_objects_aside(monkeypatch, frozen_before):
    with imports_spared():
        import_many(monkeypatch)
        gc.collect()
        after = gc.get_freeze_count()
        gc.collect()
        assert after > frozen_before
        assert gc.get_freeze_count() <= after


def test_without_imports_nothing_is_set_aside(frozen_before):
    with imports_spared():
        gc.collect()
        assert gc.get_freeze_count() <= frozen_before


def test_after_it_nobody_listens_to_the_collector_any_more():
    before = list(gc.callbacks)
    with imports_spared():
        assert gc.callbacks != before
    assert gc.callbacks == before


def test_collections_of_the_young_set_nothing_aside(monkeypatch, frozen_before):
    with imports_spared():
        import_many(monkeypatch)
        gc.collect(1)
        assert gc.get_freeze_count() <= frozen_before
