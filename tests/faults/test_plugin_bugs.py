"""Fault 66 while a run lasts: what a plugin's code raises ends the run with 1 under its name, without a traceback."""

from __future__ import annotations

import pytest

from pipeline_dsl.api import DataError, MedrecipeError
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.plan.border import each, named, working
from pipeline_dsl.plan.model import ProviderRef

TRAINER = ProviderRef(kind=Kind.TRAINER, name="loop", plugin="mine", version="1", options={})
METRIC = """\
from pipeline_dsl.api import Need, NoOptions, Provider, Score, hookimpl


class Metric:
    need, higher_is_better, max_new_tokens, details = Need.TOKEN_LOSSES, False, 1, ()

    def score(self, observations):
        return {}["nothing"]


@hookimpl
def medrecipe_metrics():
    return [Provider(name="mine", summary="a metric", factory=lambda options: Metric(), options=NoOptions)]
"""


def test_fault_66_a_bug_is_told_with_its_plugin_and_kept_as_the_cause():
    with pytest.raises(MedrecipeError) as caught, working(TRAINER, "train"):
        {}["step"]
    assert caught.value.message == "the trainer `mine/loop` failed at train: KeyError: 'step'"
    assert caught.value.exit_code == 1
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("error", [DataError("a row is wrong"), KeyboardInterrupt()])
def test_fault_66_what_a_user_has_to_act_on_passes_through(error):
    with pytest.raises(type(error)) as caught, named("the plugin `mine`", "rows"):
        raise error
    assert caught.value is error


def test_fault_66_a_plugin_that_yields_is_not_blamed_for_who_takes():
    def rows():
        yield 1
        raise ValueError("row 2")

    found = each("the source `mine/rows`", "rows", rows)
    assert next(found) == 1
    with pytest.raises(MedrecipeError, match="the source `mine/rows` failed at rows: ValueError: row 2"):
        next(found)
    with pytest.raises(ZeroDivisionError):
        [1 // 0 for _ in each("the source `mine/rows`", "rows", lambda: [1])]


def test_fault_66_a_metric_with_a_bug_ends_the_command_with_1_and_no_traceback(bench, recipe):
    bench.write("mine.py", METRIC)
    bench.check(recipe)
    small = "use: embedded, layers: 1, width: 32, mlp_width: 32, vocabulary: 400, pretraining_steps: 0"
    text = recipe.replace("perplexity", "mine").replace("use: embedded", small)
    bench.write("r.sdn", "plugins = [./mine.py]\n" + text)
    result = bench.run("run", "r.sdn")
    assert result.code == 1
    assert "the metric `mine/mine` failed at score: KeyError: 'nothing'" in " ".join(result.err.split())
    assert "Traceback" not in result.err
