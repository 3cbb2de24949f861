"""What a recipe can bind to an event."""

from dataclasses import dataclass, field

import pytest

from medrecipe_plugins.actions import early_stop, simple
from pipeline_dsl.api import events


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
    assert controls.asked == [("stop", "exam did not get better than 1 in 1 looks")]
