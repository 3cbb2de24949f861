from __future__ import annotations

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
    doing: list[str] = field(default_factory=list)
    _shown: int = 0

    def line(self, text: str) -> None:
        self.lines.append(text)

    def busy(self, text: str) -> None:
        self.doing.append(text)

    def remark(self, text: str) -> None:
        self.doing.append(text)


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
def progress(screen, clock) -> Progress:
    return Progress(screen, Paint(enabled=False), ["exam", "숨쉬기"], clock)


@pytest.fixture
def tell(progress):
    return Listeners([("progress", progress)]).tell


def step(number: int, total: int) -> events.IterationCompleted:
    return events.IterationCompleted(
        phase="p", step=number, max_steps=total, epoch=1, loss=1.5, learning_rate=2e-4, grad_norm=1.0,
        label_tokens=9, seconds=0.5,
    )  # fmt: skip


def score(
    phase: str,
    value: float,
    *,
    task: str = "exam",
    higher: bool = True,
    at: int | None = None,
    invalid: str | None = None,
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
    return events.EvaluationCompleted(phase=phase, task=task, score=result, step=at)


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
    for event in (score("base", 0.5), score("p", 0.75), score("q", 0.25), score("r", 0.6), score("s", 0.5)):
        tell(event)
    assert screen.lines == [
        "  exam    0.50 [0.40, 0.60]  n 1,234",
        "  exam    0.75 [0.65, 0.85]  better (base 0.50)",
        "  exam    0.25 [0.15, 0.35]  worse (base 0.50), worse than after p (0.75)",
        "  exam    0.60 [0.50, 0.70]  no clear change (base 0.50)",
        "  exam    0.50 [0.40, 0.60]  as the base, worse than after p (0.75)",
    ]


def test_less_is_better_where_the_score_says_so(tell, screen):
    tell(score("base", 5.0, higher=False))
    tell(score("p", 4.0, higher=False))
    assert screen.lines[-1].endswith("better (base 5.00)")


def test_a_score_without_a_base_stands_alone(tell, screen):
    tell(score("p", 0.5, task="숨쉬기"))
    assert screen.lines == ["  숨쉬기  0.50 [0.40, 0.60]"]


def test_a_scoring_in_training_is_one_line_that_waits_for_all_of_its_tasks(tell, screen):
    tell(score("base", 0.5))
    tell(score("p", 0.25, at=40))
    tell(score("p", 310.4, task="숨쉬기", at=40))
    assert len(screen.lines) == 1
    tell(events.IterationStarted(phase="p", step=40, max_steps=80, epoch=2))
    assert screen.lines[1:] == ["  step 40: exam 0.25 [0.15, 0.35], 숨쉬기 310 [310, 310]"]
    tell(score("p", 0.5, at=80))
    tell(events.Completed(phase="p", step=80, max_steps=80, epoch=2))
    assert screen.lines[2:] == ["  step 80: exam 0.50 [0.40, 0.60]"]


def test_what_is_said_in_training_comes_after_the_scores_before_it(tell, screen, progress):
    tell(score("p", 0.5, at=40))
    progress.say("p: stopping: early stop")
    assert screen.lines == ["  step 40: exam 0.50 [0.40, 0.60]", "p: stopping: early stop"]


def test_why_a_score_should_not_be_believed_is_told_once_for_each_occasion(tell, screen):
    for event in (
        score("base", 0.5, invalid="one letter is 90 % of the answers"),
        score("p", 0.5, at=40, invalid="one letter is 80 % of the answers"),
        score("p", 0.5, at=80, invalid="one letter is 70 % of the answers"),
        score("p", 0.5, invalid="one letter is 70 % of the answers"),
        score("q", 0.5, invalid="one letter is 60 % of the answers"),
        score("q", 0.5, task="숨쉬기", invalid="one letter is 60 % of the answers"),
    ):
        tell(event)
        tell(events.IterationStarted(phase="p", step=40, max_steps=80, epoch=2))
    assert screen.lines == [
        "  exam    0.50 [0.40, 0.60]  n 1,234",
        "    not to be believed: one letter is 90 % of the answers",
        "  step 40: exam 0.50 [0.40, 0.60]",
        "    exam not to be believed: one letter is 80 % of the answers",
        "  step 80: exam 0.50 [0.40, 0.60] (not believed)",
        "  exam    0.50 [0.40, 0.60]  as the base, not believed",
        "  exam    0.50 [0.40, 0.60]  as the base, not believed",
        "  숨쉬기  0.50 [0.40, 0.60]",
        "    not to be believed: one letter is 60 % of the answers",
    ]


def test_while_tasks_are_scored_it_is_said_which_are_to_come(tell, screen):
    tell(run_start())
    tell(score("base", 0.5))
    tell(events.EpochCompleted(phase="p", step=4, max_steps=8, epoch=1, loss=1.0))
    tell(score("p", 0.5, at=4))
    tell(events.Completed(phase="p", step=8, max_steps=8, epoch=2))
    assert screen.doing == [
        "loading the base, then scoring exam, 숨쉬기",
        "scoring 숨쉬기",
        "epoch 1 is done",
        "exam is scored",
        "scoring exam, 숨쉬기",
    ]


def test_a_stage_says_when_it_will_be_over_and_steps_go_on_through_all(tell, screen):
    place = {"phase": "p", "total": 2}
    tell(events.StageStarted(**place, stage="few", index=0, max_steps=1, until="exam >= 0.7 for 2"))
    tell(events.Started(phase="p", step=0, max_steps=3, epoch=1))
    tell(step(1, 3))
    tell(events.Terminated(phase="p", step=1, max_steps=3, epoch=1, reason="stage `few`: exam >= 0.7 for 2"))
    tell(events.StageCompleted(**place, stage="few", index=0, steps=1, stopped="stage `few`"))
    tell(events.StageStarted(**place, stage="all", index=1, max_steps=2, until=None))
    tell(events.Started(phase="p", step=1, max_steps=3, epoch=2))
    tell(step(2, 3))
    assert [line.partition("  loss")[0] for line in screen.lines] == [
        "  stage 1/2 few: at most 1 step, until exam >= 0.7 for 2",
        "  step 1/3",
        "  stopped at step 1/3: stage `few`: exam >= 0.7 for 2",
        "  stage 2/2 all: at most 2 steps",
        "  step 2/3",
    ]


def run_start() -> events.RunStart:
    return events.RunStart(
        run="r", project="한국어", recipe="한국어", profile=None, phases=("p",), resumed=False
    )


def test_a_run_says_its_size_and_what_it_says_in_a_phase_is_indented(tell, screen, progress):
    progress.say("building a small model")
    tell(run_start())
    progress.say("p: 3 of 9 samples are too long")
    assert screen.lines == [
        "building a small model",
        "run r of 한국어 begins: 1 phase, 2 tasks",
        "base (before any training)",
        "  p: 3 of 9 samples are too long",
    ]


def test_what_counts_its_steps_is_told_about_every_quarter(screen, progress):
    progress.say("building a small model")
    for step in range(1, 161):
        progress.say(f"pretraining step {step} of 160, loss 5.00")
    assert [line.partition(",")[0] for line in screen.lines[1:]] == [
        f"pretraining step {step} of 160" for step in (40, 80, 120, 160)
    ]
    assert screen.doing == ["building a small model"]


def test_a_reused_phase_does_not_say_how_long_it_took(tell, screen):
    tell(events.PhaseStart(phase="p", index=0, total=1, reused=True))
    tell(events.PhaseEnd(phase="p", status="finished", adapter=None, seconds=0.1))
    assert screen.lines == ["phase 1/1 p (reused)"]


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
