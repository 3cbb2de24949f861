from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipeline_dsl.run.liveness import alive, this_process


def test_this_process_is_alive():
    facts = this_process()
    assert facts["pid"] == os.getpid()
    assert alive(facts)


@pytest.mark.parametrize(
    "change",
    [
        {"process_start": 1.0},
        {"boot_id": "another boot"},
        {"host": "another machine"},
        {"pid": 2**22 + 1},
        {"pid": -1},
        {"pid": 0},
        {"pid": True},
        {"pid": "1"},
        {"pid": None},
        {"process_start": None},
    ],
)
def test_pid_start_boot_and_host_must_all_be_the_same(change):
    assert not alive(this_process() | change)


def test_no_facts_are_no_life():
    assert not alive({})


def test_an_ended_process_is_not_alive_even_before_it_is_reaped():
    code = "import json, sys; from pipeline_dsl.run.liveness import this_process; print(json.dumps(this_process()))"
    import json

    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        facts = json.loads(child.stdout.readline())
        child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not alive(facts)


def test_a_small_drift_of_the_clock_is_forgiven():
    facts = this_process()
    assert alive(facts | {"process_start": facts["process_start"] + 0.5})
