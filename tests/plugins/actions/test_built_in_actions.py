"""What a recipe can bind to an event."""

import json
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrecipe_plugins.actions import early_stop, simple
from pipeline_dsl.api import Score, events


@dataclass
class Controls:
    """Remembers what an action asked for."""

    asked: list = field(default_factory=list)

    def evaluate(self, tasks=()):
        self.asked.append(("evaluate", tuple(tasks)))
        return {}

    def checkpoint(self):
        self.asked.append(("checkpoint",))

    def stop(self, reason):
        self.asked.append(("stop", reason))

    def keep(self, reason):
        self.asked.append(("keep", reason))

    def say(self, text):
        self.asked.append(("say", text))


POINT = {"phase": "first", "step": 20, "max_steps": 100, "epoch": 2}
STEP = events.IterationCompleted(
    **POINT, loss=1.23456, learning_rate=2e-4, grad_norm=0.5, label_tokens=9, seconds=0.1
)


def _make(name, **options):
    offers = (*simple.medrecipe_actions(), *early_stop.medrecipe_actions())
    provider = next(p for p in offers if p.name == name)
    return provider.factory(provider.options(**options))


def _asked(action, event=STEP, values=None):
    controls = Controls()
    action.act(event, values or {}, controls)
    return controls.asked


def test_log_says_one_line_with_step_loss_and_learning_rate():
    ((kind, text),) = _asked(_make("log"))
    assert (kind, text) == ("say", "iteration_completed  step 20/100  loss 1.2346  lr 0.0002  norm 0.5")


def test_log_takes_figures_that_the_event_lacks_from_the_newest():
    ((_, text),) = _asked(_make("log"), events.Started(**POINT), {"loss": 0.5})
    assert text == "started  step 20/100  loss 0.5000"


def test_evaluate_scores_the_named_tasks():
    assert _asked(_make("evaluate", tasks=("exam",))) == [("evaluate", ("exam",))]
    assert _asked(_make("evaluate")) == [("evaluate", ())]


def test_checkpoint_asks_for_one():
    assert _asked(_make("checkpoint")) == [("checkpoint",)]


def test_stop_says_where():
    assert _asked(_make("stop")) == [("stop", "stop at iteration_completed")]


def _look(action, values, phase="first"):
    controls = Controls()
    event = events.EpochCompleted(phase=phase, step=1, max_steps=9, epoch=1, loss=0.0)
    for value in values:
        action.act(event, {"exam": value}, controls)
    return len(controls.asked)


@pytest.mark.parametrize(
    ("values", "options", "stops"),
    [
        ([3, 2, 1, 1.5, 1.5], {"patience": 3}, 0),
        ([3, 2, 1, 1.5, 1.5, 1.5], {"patience": 3}, 1),
        ([1, 2, 3], {"mode": "max", "patience": 1}, 0),
        ([1, 2, 2], {"mode": "max", "patience": 1}, 1),
        ([1, 1.05, 1.2], {"mode": "max", "patience": 2, "min_delta": 0.1}, 0),
        ([1, 1.05, 1.08], {"mode": "max", "patience": 2, "min_delta": 0.1}, 1),
        ([1, 2, 0.5, 2], {"patience": 2}, 0),
    ],
)
def test_early_stop_waits_for_its_patience(values, options, stops):
    assert _look(_make("early_stop", monitor="exam", **options), values) == stops


def test_early_stop_begins_anew_in_every_phase():
    action = _make("early_stop", monitor="exam", patience=1)
    assert _look(action, [1]) == 0
    assert _look(action, [5], phase="second") == 0


def test_a_figure_that_is_not_there_yet_is_no_look():
    assert _asked(_make("early_stop", monitor="exam", patience=1), values={"loss": 1.0}) == []


def test_early_stop_says_why():
    action = _make("early_stop", monitor="exam", patience=1)
    controls = Controls()
    for value in (1.0, 2.0):
        action.act(STEP, {"exam": value}, controls)
    assert controls.asked == [("stop", "exam did not get better than 1 in 1 look")]


def _score(value, *, task="exam", step=20, higher=True, invalid=None, **details):
    score = Score(
        value=value, low=value, high=value, n=9, protocol="x", higher_is_better=higher, details=details,
        invalid=invalid,
    )  # fmt: skip
    return events.EvaluationCompleted(phase="first", task=task, score=score, step=step)


def _told(action, *found):
    """What an action asks for at evaluations, with the figures that are the newest then."""
    controls, values = Controls(), {"loss": 1.0}
    for event in found:
        values |= {event.task: event.score.value}
        values |= {f"{event.task}.{name}": value for name, value in event.score.details.items()}
        action.act(event, values, controls)
    return controls.asked


def test_keep_best_keeps_whenever_a_task_scores_better_and_the_earlier_of_equals():
    found = [_score(v, step=n) for n, v in enumerate((0.2, 0.5, 0.5, 0.4, 0.6))]
    assert _told(_make("keep_best", task="exam"), *found) == [
        ("keep", "exam 0.2"), ("keep", "exam 0.5"), ("keep", "exam 0.6"),
    ]  # fmt: skip


def test_keep_best_takes_the_direction_from_the_metric_and_min_delta_as_the_least_gain():
    found = [_score(v, higher=False) for v in (3.0, 2.95, 2.8, 3.5)]
    asked = _told(_make("keep_best", task="exam", min_delta=0.1), *found)
    assert asked == [("keep", "exam 3"), ("keep", "exam 2.8")]


@pytest.mark.parametrize(
    "event",
    [
        _score(0.9, task="other"),
        _score(0.9, step=None),
        _score(0.9, invalid="one letter is 100 % of the answers"),
        _score(math.nan),
    ],
    ids=["another task", "after training", "not to be believed", "no number"],
)
def test_keep_best_does_not_go_by(event):
    assert _told(_make("keep_best", task="exam"), event) == []


def test_early_stop_looks_at_its_own_task_alone_and_only_in_training():
    action = _make("early_stop", monitor="exam", patience=1)
    passed_over = (_score(0.1, task="other"), _score(0.1, step=None), _score(0.1, invalid="why"))
    assert _told(action, _score(0.5), *passed_over) == []
    assert _told(action, _score(0.5)) == [("stop", "exam did not get better than 0.5 in 1 look")]


def test_early_stop_takes_the_direction_from_the_metric_unless_it_is_told():
    assert _told(_make("early_stop", monitor="exam", patience=1), _score(1.0), _score(2.0)) == []
    assert _told(_make("early_stop", monitor="exam", patience=1, mode="min"), _score(1.0), _score(2.0))
    falling = [_score(v, higher=False) for v in (2.0, 1.0)]
    assert _told(_make("early_stop", monitor="exam", patience=1), *falling) == []


def test_early_stop_can_watch_a_detail_and_a_figure_of_training_at_evaluations():
    details = [_score(1.0, slips=n) for n in (5.0, 4.0, 4.0)]
    assert len(_told(_make("early_stop", monitor="exam.slips", patience=1), *details)) == 1
    assert len(_told(_make("early_stop", monitor="loss", patience=1), _score(1.0), _score(2.0))) == 1


def test_early_stop_is_no_better_for_what_is_no_number():
    action = _make("early_stop", monitor="exam", patience=2)
    asked = _told(action, _score(math.nan), _score(math.nan))
    assert asked == [("stop", "exam did not get better than no number in 2 looks")]


@given(
    values=st.lists(st.floats(0, 1) | st.just(math.nan), max_size=8),
    cut=st.integers(0, 8),
    options=st.sampled_from(
        [("keep_best", {"task": "exam"}), ("early_stop", {"monitor": "exam", "patience": 2})]
    ),
)
def test_an_action_goes_on_from_its_state_as_if_nothing_had_been(values, cut, options):
    name, wanted = options
    found = [_score(v, step=n) for n, v in enumerate(values)]
    whole, first, second = (_make(name, **wanted) for _ in range(3))
    before = _told(first, *found[:cut])
    second.restore(json.loads(json.dumps(first.state())))
    assert before + _told(second, *found[cut:]) == _told(whole, *found)
    assert json.dumps(second.state()) == json.dumps(whole.state())
