from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline_dsl.run.history import UnknownRunError, find_run, list_runs, show_run
from pipeline_dsl.run.liveness import this_process
from pipeline_dsl.syntax.machine import write_record

BASIC = {
    "recipe": "korean",
    "profile": "tiny",
    "status": "finished",
    "started": "2026-04-12T10:15:30+00:00",
    "duration_seconds": 12.5,
    "summary": {"exam": 0.5},
}


def make_run(runs: Path, id: str, project: str = "korean", **changes) -> Path:
    folder = runs / project / id
    folder.mkdir(parents=True)
    record = {"id": id, "project": project, **BASIC, **changes}
    (folder / "metadata.sdn").write_text(write_record(record), encoding="utf-8")
    return folder


def test_runs_are_listed_newest_first(tmp_path):
    make_run(tmp_path, "20260412-101530-aaaa", started="2026-04-12T10:15:30+00:00")
    make_run(tmp_path, "20260413-101530-bbbb", started="2026-04-13T10:15:30+00:00")
    make_run(tmp_path, "20260411-101530-cccc", project="other", started="2026-04-11T10:15:30+00:00")
    assert [r.id[-4:] for r in list_runs(tmp_path)] == ["bbbb", "aaaa", "cccc"]


def test_a_summary_carries_what_its_record_says(tmp_path):
    make_run(tmp_path, "20260412-101530-aaaa")
    (run,) = list_runs(tmp_path)
    assert (run.id, run.project, run.recipe, run.profile) == (
        "20260412-101530-aaaa",
        "korean",
        "korean",
        "tiny",
    )
    assert (run.status, run.duration_seconds, run.summary) == ("finished", 12.5, {"exam": 0.5})


def test_no_folder_and_an_empty_one_hold_no_runs(tmp_path):
    assert list_runs(tmp_path) == ()
    assert list_runs(tmp_path / "nothing") == ()


def test_files_hidden_folders_and_empty_folders_are_no_runs(tmp_path):
    (tmp_path / "README.md").write_text("about runs", encoding="utf-8")
    (tmp_path / ".cache" / "x").mkdir(parents=True)
    (tmp_path / "korean" / "just-made").mkdir(parents=True)
    assert list_runs(tmp_path) == ()


def test_a_running_run_of_this_process_runs(tmp_path):
    make_run(tmp_path, "a", status="running", **this_process())
    assert list_runs(tmp_path)[0].status == "running"


def test_case_73_a_running_run_whose_process_is_gone_crashed(tmp_path):
    make_run(tmp_path, "a", status="running", **(this_process() | {"pid": 2**22 + 1}))
    assert list_runs(tmp_path)[0].status == "crashed"


def test_case_73_a_pid_that_was_given_away_is_not_the_run(tmp_path):
    make_run(tmp_path, "a", status="running", **(this_process() | {"process_start": 5.0}))
    assert list_runs(tmp_path)[0].status == "crashed"


def test_case_73_a_run_of_another_machine_is_judged_by_its_last_write(tmp_path):
    folder = make_run(tmp_path, "a", status="running", **(this_process() | {"host": "elsewhere"}))
    assert list_runs(tmp_path)[0].status == "running"
    long_ago = time.time() - 3600
    os.utime(folder / "metadata.sdn", (long_ago, long_ago))
    assert list_runs(tmp_path)[0].status == "crashed"


def test_case_73_an_interrupted_run_is_interrupted(tmp_path):
    make_run(tmp_path, "a", status="interrupted", **(this_process() | {"pid": 2**22 + 1}))
    assert list_runs(tmp_path)[0].status == "interrupted"


def test_case_76_a_finished_run_of_another_machine_is_listed_as_it_is(tmp_path):
    make_run(tmp_path, "a", host="elsewhere", pid=1, boot_id="x", process_start=1.0)
    assert list_runs(tmp_path)[0].status == "finished"


@pytest.mark.parametrize("place", [0, 10, 40, 70, 120])
def test_case_77_a_flipped_byte_damages_one_run_and_no_other(tmp_path, place):
    broken = make_run(tmp_path, "20260412-101530-aaaa")
    make_run(tmp_path, "20260413-101530-bbbb", started="2026-04-13T10:15:30+00:00")
    data = bytearray((broken / "metadata.sdn").read_bytes())
    data[place] ^= 0x04
    (broken / "metadata.sdn").write_bytes(data)
    fine, damaged = list_runs(tmp_path)
    assert fine.status == "finished"
    assert (damaged.status, damaged.id, damaged.folder) == ("damaged", "20260412-101530-aaaa", broken)
    assert "metadata.sdn" in damaged.problem


def test_case_77_bytes_that_are_no_text_are_damage(tmp_path):
    folder = make_run(tmp_path, "a")
    (folder / "metadata.sdn").write_bytes(b"\xff\xfe")
    assert list_runs(tmp_path)[0].status == "damaged"


def test_a_missing_record_beside_a_plan_is_damage(tmp_path):
    folder = tmp_path / "korean" / "a"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text("{}", encoding="utf-8")
    (run,) = list_runs(tmp_path)
    assert (run.status, run.problem) == ("damaged", "metadata.sdn is missing")


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "happy"},
        {"status": None},
        {"started": "yesterday"},
        {"started": 5},
        {"recipe": 5},
        {"duration_seconds": "long"},
        {"duration_seconds": True},
        {"summary": [1]},
    ],
)
def test_a_record_that_says_what_no_run_can_is_damaged(tmp_path, changes):
    make_run(tmp_path, "a", **changes)
    assert list_runs(tmp_path)[0].status == "damaged"


def test_a_run_is_found_by_its_id_the_start_of_it_and_with_its_project(tmp_path):
    folder = make_run(tmp_path, "20260412-101530-aaaa")
    make_run(tmp_path, "20260413-101530-bbbb")
    for name in ("20260412-101530-aaaa", "20260412", "korean/20260412-101530-aaaa", "korean/20260412"):
        assert find_run(tmp_path, name) == folder


def test_an_id_that_begins_another_is_still_exact(tmp_path):
    folder = make_run(tmp_path, "a")
    make_run(tmp_path, "ab")
    assert find_run(tmp_path, "a") == folder


def test_the_start_of_several_ids_names_them(tmp_path):
    make_run(tmp_path, "20260412-101530-aaaa")
    make_run(tmp_path, "20260412-101530-bbbb")
    with pytest.raises(UnknownRunError) as caught:
        find_run(tmp_path, "20260412")
    assert caught.value.exit_code == 2
    assert "korean/20260412-101530-aaaa" in caught.value.help


def test_an_unknown_id_names_the_nearest(tmp_path):
    make_run(tmp_path, "20260412-101530-aaaa")
    with pytest.raises(UnknownRunError) as caught:
        show_run(tmp_path, "20260412-101530-abaa")
    assert caught.value.exit_code == 2
    assert "20260412-101530-aaaa" in caught.value.help


@pytest.mark.parametrize(
    "name", ["..", ".", "", "../korean", "korean/../korean/a", "/etc", "a\0", "korean/", "*"]
)
def test_case_78_80_a_name_never_leads_out_of_the_folder(tmp_path, name):
    runs = tmp_path / "runs"
    make_run(runs, "b")
    make_run(runs, "c")
    make_run(tmp_path, "a")
    with pytest.raises(UnknownRunError):
        find_run(runs, name)


def test_case_80_links_are_not_followed(tmp_path):
    outside = make_run(tmp_path / "outside", "a")
    runs = tmp_path / "runs"
    (runs / "korean").mkdir(parents=True)
    (runs / "korean" / "a").symlink_to(outside)
    (runs / "linked").symlink_to(outside.parent)
    assert list_runs(runs) == ()
    with pytest.raises(UnknownRunError):
        find_run(runs, "a")


def test_phases_are_shown_in_the_order_of_the_plan_with_those_to_come(tmp_path):
    folder = make_run(tmp_path, "a")
    (folder / "plan.json").write_text(
        json.dumps({"phases": [{"name": "둘"}, {"name": "one"}, {"name": "x"}]})
    )
    write_phase(
        folder, "one", status="finished", fingerprint="f" * 64, own_task="exam", metrics={"loss": 1.5}
    )
    (folder / "phases" / "x").mkdir()
    (folder / "phases" / "x" / "phase.json").write_text("{")
    phases = show_run(tmp_path, "a").phases
    assert [(p.name, p.status) for p in phases] == [("둘", "pending"), ("one", "finished"), ("x", "damaged")]
    assert (phases[1].own_task, phases[1].metrics, phases[1].adapter) == ("exam", {"loss": 1.5}, None)


def test_a_plan_that_names_a_phase_outside_of_the_run_leads_nowhere(tmp_path):
    folder = make_run(tmp_path, "a")
    (folder / "plan.json").write_text(json.dumps({"phases": [{"name": "../../x"}, {}, 5]}))
    assert show_run(tmp_path, "a").phases == ()


def test_phases_are_shown_without_a_plan(tmp_path):
    folder = make_run(tmp_path, "a")
    write_phase(folder, "one", status="finished")
    assert [p.name for p in show_run(tmp_path, "a").phases] == ["one"]


def test_the_retention_matrix_has_a_null_for_what_was_not_scored(tmp_path):
    folder = make_run(tmp_path, "a")
    data = {
        "tasks": ["x", "y"],
        "rows": ["base", "one"],
        "scores": [[0.1, None], [0.5]],
        "intervals": [[[0.0, 0.2], None], [[0.4, float("nan")]]],
        "acc": 0.5,
        "bwt": None,
    }
    (folder / "retention.json").write_text(json.dumps(data))
    matrix = show_run(tmp_path, "a").retention
    assert matrix.scores == ((0.1, None), (0.5, None))
    assert matrix.intervals == (((0.0, 0.2), None), (None, None))
    assert (matrix.acc, matrix.bwt, matrix.fwt) == (0.5, None, None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tasks": null}', '{"rows": ["base"]}'])
def test_a_matrix_that_cannot_be_read_is_empty(tmp_path, text):
    folder = make_run(tmp_path, "a")
    (folder / "retention.json").write_text(text)
    assert show_run(tmp_path, "a").retention.tasks == ()


def test_a_damaged_run_can_be_shown(tmp_path):
    folder = make_run(tmp_path, "a")
    (folder / "metadata.sdn").write_text("x")
    write_phase(folder, "one", status="finished")
    detail = show_run(tmp_path, "a")
    assert detail.status == "damaged"
    assert detail.phases[0].name == "one"


def test_reading_the_history_loads_neither_grammar_nor_models_nor_rich(tmp_path):
    make_run(tmp_path, "a")
    code = (
        "import sys; from pathlib import Path; from pipeline_dsl.run.history import list_runs;"
        f"assert list_runs(Path({str(tmp_path)!r}));"
        "print(*({'lark', 'torch', 'rich', 'psutil', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def write_phase(folder: Path, name: str, **data) -> None:
    (folder / "phases" / name).mkdir(parents=True)
    (folder / "phases" / name / "phase.json").write_text(json.dumps({"name": name, **data}))
