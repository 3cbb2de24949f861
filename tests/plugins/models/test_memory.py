"""What a model tells of its memory."""

from __future__ import annotations

import platform
import resource

import psutil
import pytest
import torch

from medrecipe_plugins.models import _memory

MB = 10**6


def test_the_peak_is_the_most_since_loading_and_not_what_is_held_now(tiny_model) -> None:
    before = tiny_model.memory()
    assert (before.kind, 0 < before.used <= before.peak) == ("rss", True)
    held = bytearray(b"x" * (200 * MB))
    during = tiny_model.memory()
    del held
    after = tiny_model.memory()
    assert during.used - before.used > 150 * MB
    assert after.used < during.used - 150 * MB
    assert after.peak >= during.used


def test_a_peak_before_the_model_was_loaded_does_not_count(tiny_model_folder, load_tiny) -> None:
    if not _memory._RESET.exists():
        pytest.skip("only Linux lets a process set its peak back")
    held = bytearray(b"x" * (400 * MB))
    del held
    memory = load_tiny(tiny_model_folder).memory()
    assert memory.peak - memory.used < 200 * MB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_what_a_forward_frees_is_there_for_the_next_without_asking_the_system(tiny_model) -> None:
    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        kept = [torch.ones(16 * MB // 4) for _ in range(8)]
        del kept
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    assert tiny_model.module is not None
    faults()
    assert faults() < 128 * MB // resource.getpagesize() // 4


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_a_closed_model_gives_memory_back(tiny_model_folder, load_tiny) -> None:
    model = load_tiny(tiny_model_folder)
    kept = [torch.ones(16 * MB // 4) for _ in range(20)]
    held = psutil.Process().memory_info().rss
    del kept
    model.close()
    assert psutil.Process().memory_info().rss < held - 250 * MB


def test_where_a_peak_cannot_be_set_back_it_is_that_of_the_process(monkeypatch, tmp_path, tiny_model) -> None:
    monkeypatch.setattr(_memory, "_RESET", tmp_path / "not" / "allowed")
    monkeypatch.setattr(_memory, "_STATUS", tmp_path / "not" / "there")
    _memory.start_counting("cpu")
    memory = tiny_model.memory()
    assert memory.peak >= memory.used > 0


def test_on_a_gpu_it_is_what_torch_counts_from_the_loading_on(monkeypatch, tiny_model) -> None:
    asked = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", asked.append)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 3 * MB)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 5 * MB)
    _memory.start_counting("cuda:1")
    memory = _memory.memory("cuda:1")
    assert (memory.kind, memory.used, memory.peak, asked) == ("cuda", 3 * MB, 5 * MB, ["cuda:1"])
