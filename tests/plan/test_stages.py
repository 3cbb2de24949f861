"""Stages in a plan: what is refused, what each one trains on, how many steps it has."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline_dsl.api import GuardError
from pipeline_dsl.plan.model import Estimate
from pipeline_dsl.plan.plan_json import from_json, to_json
from pipeline_dsl.plan.stages import budgets, of_stage, with_estimate

ROWS = ("few, null, 2, null, 0.5", "all, null, null, null, null")


def staged(recipe: str, *rows: str) -> str:
    """The recipe with stages in its last phase."""
    return (
        recipe
        + "        stages |stage, template, samples, until, at_most|\n"
        + "".join(f"            {row}\n" for row in rows)
    )


def found(desk, recipe: str, *rows: str) -> tuple[str, str]:
    """The one finding of these stages: its code, and what it points at."""
    finding = desk.check(staged(recipe, *rows)).only()
    return finding.code, finding.span.text


def test_stages_go_through_a_file(desk, recipe):
    plan = desk.plan(staged(recipe, 'few, {use: dictionary}, 2, "terms >= 0.7 for 2", 3', ROWS[1]))
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan
    few, every = plan.phase("three").stages
    assert (few.template.name, few.samples, few.until, few.tasks, few.at_most) == (
        "dictionary", 2, "terms >= 0.7 for 2", ("terms",), 3,
    )  # fmt: skip
    assert (every.template, every.samples, every.until, every.tasks, every.at_most) == (
        None, None, None, (), None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "code", "at"),
    [
        ("termz >= 0.7", "MR441", "termz"),
        ("terms.reasoning >= 0.7", "MR441", "terms.reasoning"),
        ("loss < 1", "MR425", "loss"),
        ("terms >= 0.7 and step > 3", "MR425", "step"),
    ],
)
def test_until_goes_by_scores_alone(desk, recipe, condition, code, at):
    assert found(desk, recipe, f'few, null, 2, "{condition}", 0.5', ROWS[1]) == (code, at)


def test_a_detail_of_a_score_will_do(desk, recipe):
    plan = desk.plan(staged(recipe, 'few, null, 2, "terms.cut_off < 1 and terms > 0", 0.5', ROWS[1]))
    assert plan.phase("three").stages[0].tasks == ("terms",)


def test_a_template_of_a_stage_needs_its_columns(desk, recipe):
    code, at = found(desk, recipe, "few, plain_text, 2, null, 0.5", ROWS[1])
    assert (code, at) == ("MR506", "plain_text")


SPLIT = "terms: {use: jsonl, path: terms.jsonl, split: 0.5/0.25/0.25}"


@pytest.fixture
def split(recipe) -> str:
    """The recipe with split terms: phases train on one part, the task scores another."""
    text = recipe.replace("terms: {use: jsonl, path: terms.jsonl}", SPLIT)
    return text.replace("            terms, dictionary", "            terms.train, dictionary").replace(
        "    terms, terms, dictionary", "    terms, terms.validation, dictionary"
    )


def test_the_validation_part_may_steer(desk, split):
    hook = 'hooks |on, when, do|\n    epoch_completed, "terms > 0.9", stop\n'
    assert desk.check(staged(split, 'few, null, 2, "terms >= 0.7", 0.5', ROWS[1]) + hook).findings == ()


@pytest.mark.parametrize(
    ("hook", "at"),
    [
        ('epoch_completed, "terms > 0.9", stop', "terms"),
        ('epoch_completed, "loss < 1 or terms.cut_off > 0.9", {use: stop}', "terms.cut_off"),
        ("epoch_completed, null, {use: early_stop, monitor: terms}", "terms"),
        ("epoch_completed, null, {use: early_stop, monitor: terms.cut_off}", "terms.cut_off"),
    ],
)
def test_the_test_part_may_not_decide_when_a_training_ends(desk, split, hook, at):
    text = split.replace("terms.validation", "terms.test")
    finding = desk.check(text + f"hooks |on, when, do|\n    {hook}\n").only()
    assert (finding.code, finding.span.text) == ("MR426", at)
    assert "terms.validation" in finding.help


def test_the_test_part_may_not_end_a_stage(desk, split):
    text = split.replace("terms.validation", "terms.test")
    assert found(desk, text, 'few, null, 2, "terms >= 0.7", 0.5', ROWS[1]) == ("MR426", "terms")


def test_the_test_part_may_be_looked_at(desk, split):
    hooks = (
        'hooks |on, when, do|\n    epoch_completed, "terms > 0.9", log\n'
        "    epoch_completed, null, {use: evaluate, tasks: [terms]}\n"
        '    epoch_completed, "fluency < 2", stop\n'
    )
    assert desk.check(split.replace("terms.validation", "terms.test") + hooks).findings == ()


def test_a_stage_takes_the_rows_of_the_main_source_and_leaves_replay_alone(desk, recipe):
    text = recipe + (
        "            texts, plain_text, 0.5\n"
        "        stages |stage, template, samples, at_most|\n"
        "            few, {use: dictionary}, 2, 0.5\n"
        "            all, null, null, null\n"
    )
    phase = desk.plan(text).phase("three")
    few, every = (of_stage(phase, stage).mix for stage in phase.stages)
    assert [(m.data, m.template.name, m.limit) for m in few] == [
        ("terms", "dictionary", 2), ("texts", "plain_text", None),
    ]  # fmt: skip
    assert every == phase.mix


def test_samples_and_a_limit_of_the_mix_bound_together(desk, recipe):
    text = recipe.replace("mix |data, template, weight|\n            terms, dictionary, 1\n",
                          "mix |data, template, limit|\n            terms, dictionary, 3\n")  # fmt: skip
    phase = desk.plan(staged(text, *ROWS)).phase("three")
    assert [of_stage(phase, stage).mix[0].limit for stage in phase.stages] == [2, 3]


def prints(desk, *rows: str, text: str) -> tuple[str, ...]:
    return tuple(p.fingerprint for p in desk.plan(staged(text, *rows) if rows else text).phases)


def test_stages_make_another_phase_and_their_names_do_not(desk, recipe):
    plain, mine = prints(desk, text=recipe), prints(desk, *ROWS, text=recipe)
    assert (plain[:2], plain[2] == mine[2]) == (mine[:2], False)
    assert prints(desk, ROWS[0].replace("few", "some"), ROWS[1], text=recipe) == mine
    for other in ("few, null, 1, null, 0.5", "few, null, 2, null, 0.4", "few, {use: dictionary}, 2, null, 0.5",
                  'few, null, 2, "terms > 0", 0.5'):  # fmt: skip
        assert prints(desk, other, ROWS[1], text=recipe)[2] != mine[2]


def test_until_makes_the_tasks_that_it_names_part_of_the_phase(desk, recipe):
    rows = 'few, null, 2, "terms >= 0.7", 0.5', ROWS[1]
    mine = prints(desk, *rows, text=recipe)
    fewer = recipe.replace("dictionary, exact_match", "dictionary, bleu").replace("bleu", "token_f1")
    assert prints(desk, *rows, text=fewer)[2] != mine[2]


@pytest.mark.parametrize(
    ("bounds", "steps", "own"),
    [
        (("0.5", "null"), 10, (5, 5)),
        (("0.5", "null"), 11, (6, 5)),
        (("0.29", "null"), 100, (29, 71)),
        (("0.01", "null"), 10, (1, 9)),
        (("7", "null"), 10, (7, 3)),
        (("0.5", "0.2"), 10, (5, 2)),
        (("0.2", "3", "null"), 10, (2, 3, 5)),
    ],
)
def test_steps_are_shared_out(desk, recipe, bounds, steps, own):
    rows = [f"s{n}, null, null, null, {bound}" for n, bound in enumerate(bounds)]
    phase = desk.plan(staged(recipe, *rows)).phase("three")
    assert budgets(phase, steps) == own
    known = with_estimate(phase, Estimate(steps=steps))
    assert tuple(stage.steps for stage in known.stages) == own
    assert known.estimate.steps == sum(own)


def test_what_a_stage_leaves_goes_to_a_last_one_without_bound(desk, recipe):
    phase = desk.plan(staged(recipe, *ROWS)).phase("three")
    assert budgets(phase, 10, used=2, start=1) == (8,)
    bounded = desk.plan(staged(recipe, ROWS[0], "all, null, null, null, 0.3")).phase("three")
    assert budgets(bounded, 10, used=2, start=1) == (3,)


@pytest.mark.parametrize("steps", [0, 3])
def test_a_stage_for_which_no_step_is_left_is_told(desk, recipe, steps):
    phase = desk.plan(staged(recipe, "few, null, null, null, 3", ROWS[1])).phase("three")
    with pytest.raises(GuardError, match=f"of the {steps} steps .* none is left") as caught:
        budgets(phase, steps)
    assert (caught.value.code, caught.value.exit_code) == ("MR486", 6)


def test_a_phase_without_stages_is_estimated_as_ever(desk):
    phase = desk.plan().phase("three")
    assert with_estimate(phase, Estimate(steps=5)) == replace(phase, estimate=Estimate(steps=5))
