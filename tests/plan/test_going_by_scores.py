"""Actions that go by scores: what they name is there, it is scored, and it is known which way is better."""

from __future__ import annotations

import pytest

from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import Catalog, build_catalog

RECIPE = """\
recipe: sample
model: {use: embedded}
adapters:
    first: {use: lora, r: 8}
data:
    texts: {use: jsonl, path: texts.jsonl}
tasks |task, data, template, metric|
    fluency, texts, plain_text, perplexity
    recall, texts, plain_text, exact_match
phases:
    one:
        stack |adapter, role|
            first, train
        mix |data, template|
            texts, plain_text
hooks |on, do|
"""
SCORED = "epoch_completed, {use: evaluate, tasks: [recall]}"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return build_catalog()


@pytest.fixture
def check(catalog, tmp_path):
    """What is found in the recipe with these hooks, and its plan."""

    def of(*rows: str):
        (tmp_path / "texts.jsonl").write_text('{"text": "The heart pumps blood."}\n')
        path = tmp_path / "r.sdn"
        path.write_text(RECIPE + "".join(f"    {row}\n" for row in rows))
        loaded = load_recipe(str(path))
        assert loaded.recipe is not None, loaded.diagnostics
        plan, findings = check_recipe(loaded.recipe, catalog)
        return plan, [(f.code, f.span.text, f.help) for f in findings if f.is_error]

    return of


@pytest.mark.parametrize(
    ("row", "at", "help_"),
    [
        ("epoch_completed, {use: evaluate, tasks: [recal]}", "[recal]", "did you mean `recall`? "),
        ("evaluation_completed, {use: keep_best, task: recal}", "recal", "did you mean `recall`? "),
        ("epoch_completed, {use: early_stop, monitor: los}", "los", "did you mean `loss`? "),
        ("evaluation_completed, {use: keep_best, task: loss}", "loss", "known here: fluency, recall"),
    ],
)
def test_what_an_action_goes_by_has_to_be_there(check, row, at, help_):
    _, found = check(SCORED, row)
    ((code, text, help_told),) = found
    assert (code, text) == ("MR310", at)
    assert help_told.startswith(help_)


def test_keep_best_acts_at_evaluations_alone(check):
    _, ((code, text, help_),) = check(SCORED, "epoch_completed, {use: keep_best, task: recall}")
    assert (code, text, help_) == ("MR444", "epoch_completed", "bind it to evaluation_completed")


@pytest.mark.parametrize("action", ["keep_best, task: recall", "early_stop, monitor: recall"])
@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        ([], ["MR312"]),
        (["epoch_completed, {use: evaluate, tasks: [fluency]}"], ["MR312"]),
        ([SCORED], []),
        (["iteration_completed, evaluate"], []),
    ],
)
def test_what_an_action_waits_for_has_to_be_scored(check, action, rows, codes):
    _, found = check(*rows, f"evaluation_completed, {{use: {action}}}")
    assert [code for code, _, _ in found] == codes


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ("monitor: recall", "max"),
        ("monitor: fluency", "min"),
        ("monitor: loss", None),
        ("monitor: recall, mode: min", "min"),
    ],
)
def test_the_metric_says_which_way_is_better_unless_the_recipe_does(check, options, mode):
    plan, found = check("epoch_completed, evaluate", f"epoch_completed, {{use: early_stop, {options}}}")
    assert found == []
    assert plan.phases[0].hooks[1].do.options["mode"] == mode
