from __future__ import annotations

import json

import click
import pytest

from pipeline_dsl.cli.retention import figure_lines, retention_lines
from pipeline_dsl.cli.standing import Probes
from pipeline_dsl.cli.terminal import Paint, cells
from pipeline_dsl.run.matrix import RetentionMatrix

PLAIN, COLOURED = Paint(enabled=False), Paint(enabled=True)
PROBES = Probes(
    own={"plain_text": "fluency", "medical_dict": "terms", "mcq": "exam"}, falling=frozenset({"fluency"})
)
ROWS = {
    "base": [(632, 593, 675), (0.0, 0.0, 0.023), (0.204, 0.149, 0.272)],
    "plain_text": [(314, 296, 334), (0.0, 0.0, 0.023), (0.204, 0.149, 0.272)],
    "medical_dict": [(310, 292, 332), (0.6, 0.523, 0.673), (0.3, 0.2, 0.4)],
    "mcq": [(412, 390, 440), (0.2, 0.13, 0.28), (0.895, 0.838, 0.933)],
}


def matrix(rows=ROWS, tasks=("fluency", "terms", "exam"), **figures) -> RetentionMatrix:
    return RetentionMatrix(
        tasks=tuple(tasks),
        rows=tuple(rows),
        scores=tuple(tuple(c and c[0] for c in row) for row in rows.values()),
        intervals=tuple(tuple(c and (c[1], c[2]) for c in row) for row in rows.values()),
        **figures,
    )


def test_tasks_stand_down_and_phases_across_with_the_interval_under_each_score():
    assert retention_lines(matrix(), PROBES, PLAIN, 80) == [
        "task              base          plain_text    medical_dict  mcq",
        "fluency           632           314*          310           412!",
        "  less is better  [593, 675]    [296, 334]    [292, 332]    [390, 440]",
        "terms             0.00          0.00          0.60*         0.20!",
        "                  [0.00, 0.02]  [0.00, 0.02]  [0.52, 0.67]  [0.13, 0.28]",
        "exam              0.20          0.20          0.30          0.90*",
        "                  [0.15, 0.27]  [0.15, 0.27]  [0.20, 0.40]  [0.84, 0.93]",
        "[95 % interval]  * own task  ! worse than its best before",
    ]


def test_five_tasks_and_three_phases_fit_a_terminal_of_80_columns():
    wide = {row: [*found, found[1], found[2]] for row, found in ROWS.items()}
    drawn = matrix(wide, ("fluency", "terms_recall", "terms_held_out", "exam_recall", "exam_held_out"))
    lines = retention_lines(drawn, PROBES, COLOURED, 80)
    assert max(cells(click.unstyle(line)) for line in lines) <= 80
    assert len(lines) == 12


def test_many_phases_are_drawn_in_blocks_below_each_other():
    rows = {f"phase_{i}": ROWS["base"] for i in range(12)}
    lines = retention_lines(matrix({"base": ROWS["base"], **rows}), PROBES, PLAIN, 80)
    assert max(map(cells, lines)) <= 80
    heads = [line for line in lines if line.startswith("task")]
    assert " ".join(heads).split() == ["task", "base", *list(rows)[:3], "task", *list(rows)[3:7], "task", *list(rows)[7:11], "task", "phase_11"]  # fmt: skip
    assert sum(line.startswith("[95 %") for line in lines) == 1


def test_korean_names_line_up():
    rows = {"base": ROWS["base"][1:], "한국어_문장": ROWS["base"][1:]}
    head, first, *_ = retention_lines(matrix(rows, ("용어", "시험")), PROBES, PLAIN, 80)
    assert cells(head[: head.index("한국어")]) == cells(first[: first.rindex("0.00")])


def test_on_a_terminal_clearly_better_is_green_and_clearly_worse_than_the_best_red():
    lines = retention_lines(matrix(), PROBES, COLOURED, 80)
    green, red = "\x1b[32m", "\x1b[31m"
    assert [(line.count(green), line.count(red)) for line in lines[1:6:2]] == [(2, 1), (1, 1), (1, 0)]
    assert "better than base" in lines[-1]


def test_an_unscored_cell_is_a_dash_and_an_unknown_interval_takes_no_line():
    rows = {"base": [(0.2, 0.1, 0.3)], "one": [None]}
    assert retention_lines(matrix(rows, ("exam",)), PROBES, PLAIN, 80)[1:3] == [
        "exam  0.20          -",
        "      [0.10, 0.30]",
    ]
    bare = RetentionMatrix(tasks=("exam",), rows=("base",), scores=((0.2,),), intervals=((None,),))
    assert retention_lines(bare, PROBES, PLAIN, 80) == ["task  base", "exam  0.20"]


def test_each_figure_stands_on_a_line_with_what_it_means():
    lines = figure_lines(matrix(acc=0.747, bwt=0.0226, forgetting=-0.0176, fwt=0.0), PROBES)
    assert lines == [
        "",
        "ACC          0.75  own tasks at the end, on average",
        "BWT         +0.02  change of own tasks since they were taught",
        "forgetting  -0.02  fall of own tasks from their best (none: they rose)",
        "FWT          0.00  gain of own tasks before they were taught",
        "in these figures fluency counts as ln(base / score)",
    ]


def test_what_is_not_known_is_not_said():
    assert figure_lines(matrix(), PROBES) == []
    assert len(figure_lines(matrix(acc=0.5), Probes(own={}, falling=frozenset()))) == 2


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"phases": 7, "tasks": [8]}', '{"phases": [{"name": "one"}]}']
)
def test_a_plan_that_cannot_be_read_marks_nothing(tmp_path, text):
    if text is not None:
        (tmp_path / "plan.json").write_text(text)
    assert Probes.of(tmp_path) == Probes(own={}, falling=frozenset())


def test_own_tasks_and_directions_come_from_the_plan(tmp_path):
    plan = {
        "phases": [{"name": "one", "task": "fluency"}, {"name": "two", "task": None}],
        "tasks": [{"name": "fluency", "higher_is_better": False}, {"name": "exam", "higher_is_better": True}],
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert Probes.of(tmp_path) == Probes(own={"one": "fluency"}, falling=frozenset({"fluency"}))
