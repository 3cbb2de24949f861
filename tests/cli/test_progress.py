from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from pipeline_dsl.api import Score, events
from pipeline_dsl.cli.progress import Progress
from pipeline_dsl.cli.screens import PlainScreen
from pipeline_dsl.cli.terminal import Paint
from pipeline_dsl.run.listeners import Listeners


@dataclass
class Recorded(PlainScreen):
    lines: list[str] = field(default_factory=list)
    _shown: int = 0

    def line(self, text: str) -> None:
        self.lines.append(text)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def screen() -> Recorded:
    return Recorded()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tell(screen, clock):
    return Listeners([("progress", Progress(screen, Paint(enabled=False), clock))]).tell


def step(number: int, total: int) -> events.IterationCompleted:
    return events.IterationCompleted(
        phase="p", step=number, max_steps=total, epoch=1, loss=1.5, learning_rate=2e-4, grad_norm=1.0,
        label_tokens=9, seconds=0.5,
    )  # fmt: skip


def score(
    phase: str, value: float, *, higher: bool = True, at: int | None = None, invalid: str | None = None
) -> events.EvaluationCompleted:
    result = Score(
        value=value,
        low=value - 0.1,
        high=value + 0.1,
        n=1234,
        protocol="x",
        higher_is_better=higher,
        invalid=invalid,
    )
    return events.EvaluationCompleted(phase=phase, task="exam", score=result, step=at)


@pytest.mark.parametrize(("total", "lines"), [(1000, 10), (100, 10), (20, 10), (4, 4), (1, 1), (7, 7)])
def test_training_is_told_about_every_tenth_of_the_steps(tell, screen, total, lines):
    tell(events.Started(phase="p", step=0, max_steps=total, epoch=1))
    for number in range(1, total + 1):
        tell(step(number, total))
    assert len(screen.lines) == lines
    assert screen.lines[-1].startswith(f"  step {total}/{total}  loss 1.5000  lr 2.0e-04")


def test_a_resumed_phase_goes_on_from_its_step(tell, screen):
    tell(events.Started(phase="p", step=50, max_steps=100, epoch=1))
    for number in range(51, 101):
        tell(step(number, 100))
    assert len(screen.lines) == 5


def test_the_time_left_is_reckoned_from_the_steps_of_this_process(tell, screen, clock):
    tell(events.Started(phase="p", step=50, max_steps=100, epoch=1))
    clock.now = 120.0
    tell(step(60, 100))
    assert screen.lines[-1].endswith("8 min 00 s left")


def test_a_score_says_what_changed_against_the_base(tell, screen):
    tell(score("base", 0.5))
    tell(score("p", 0.75))
    tell(score("p", 0.25))
    tell(score("p", 0.5, at=40))
    assert screen.lines == [
        "  base: exam 0.5 [0.4, 0.6] n 1,234",
        "  exam 0.75 [0.65, 0.85] n 1,234, +0.25 against the base (better)",
        "  exam 0.25 [0.15, 0.35] n 1,234, -0.25 against the base (worse)",
        "  step 40: exam 0.5 [0.4, 0.6] n 1,234, as the base",
    ]


def test_less_is_better_where_the_score_says_so(tell, screen):
    tell(score("base", 5.0, higher=False))
    tell(score("p", 4.0, higher=False))
    assert screen.lines[-1].endswith("-1 against the base (better)")


def test_a_score_without_a_base_stands_alone(tell, screen):
    tell(score("p", 0.5))
    assert screen.lines == ["  exam 0.5 [0.4, 0.6] n 1,234"]


def test_a_score_that_should_not_be_believed_says_why(tell, screen):
    tell(score("p", 0.5, invalid="one letter is 90 % of the answers"))
    assert screen.lines[-1] == "  not to be believed: one letter is 90 % of the answers"


def test_ends_are_told(tell, screen):
    tell(events.PhaseEnd(phase="p", status="rejected", adapter=None, seconds=75.0))
    tell(events.PhaseEnd(phase="p", status="reused", adapter=None, seconds=0.0))
    tell(events.Terminated(phase="p", step=3, max_steps=9, epoch=1, reason="early stop"))
    tell(events.CheckpointSaved(phase="p", step=3, max_steps=9, epoch=1, folder="x"))
    tell(events.ExceptionRaised(phase="p", message="no memory"))
    tell(events.RunEnd(run="r", status="failed", seconds=7620.0))
    assert screen.lines == [
        "  rejected in 1 min 15 s",
        "  stopped at step 3/9: early stop",
        "  checkpoint at step 3",
        "  failed: no memory",
        "run failed after 2 h 07 min",
    ]


def on_a_terminal(*arguments: str, cwd, **environment: str) -> str:
    """What a command line writes to a terminal of 100 columns."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pipeline_dsl.cli.main", *arguments]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment}
    with subprocess.Popen(
        command, stdout=follower, stderr=follower, stdin=follower, cwd=cwd, env=env
    ) as child:
        os.close(follower)
        written = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:
                break
            if not part:
                break
            written += part
    os.close(leader)
    assert child.returncode == 0, written
    return written.decode()


def test_on_a_terminal_training_is_a_bar_with_loss_and_time(recipe):
    text = on_a_terminal("run", "r.sdn", cwd=recipe.parent)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "━" in text
    assert "20/20" in plain
    assert re.search(r"loss 0\.\d{4}  lr 1\.0e-03", plain)
    assert "base: fluency 7.463" in plain
    assert "runs show" in plain


def test_on_a_terminal_tables_are_drawn_and_colours_can_be_turned_off(recipe):
    on_a_terminal("run", "r.sdn", cwd=recipe.parent)
    drawn = on_a_terminal("runs", "list", cwd=recipe.parent)
    assert "─" in drawn
    assert "연습" in drawn
    coloured, plain = (
        on_a_terminal("explain", "MR123", cwd=recipe.parent, **env) for env in ({}, {"NO_COLOR": "1"})
    )
    assert "\x1b[1m" in coloured
    assert "\x1b[" not in plain


def test_a_dumb_terminal_gets_plain_lines(recipe):
    assert "\x1b" not in on_a_terminal("run", "r.sdn", cwd=recipe.parent, TERM="dumb")
