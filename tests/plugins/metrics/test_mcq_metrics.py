"""Metrics of multiple-choice questions."""

import math

import pytest

from medrecipe_plugins.metrics import mcq
from medrecipe_plugins.metrics._intervals import wilson
from pipeline_dsl.api import Need

WORKED = (
    "translate:\nWhere?\n\nreasoning:\nfacts:\n- {n}\ncandidates:\n- A\ncriteria:\n- x\nanalysis:\n- y\n"
    "evaluation:\n평가기준: x\n점수표: A 1\n근거요약: z\n\nanswer:\nC"
)


def _make(name, **options):
    provider = next(p for p in mcq.medrecipe_metrics() if p.name == name)
    return provider.factory(provider.options(**options))


def _cycle(n):
    return ["ABCDE"[at % 5] for at in range(n)]


def test_likelihood_takes_the_likeliest_choice(chose):
    score = _make("mcq_accuracy").score([chose("A", "A"), chose("B", "C"), chose("C", "C"), chose("D", "D")])
    assert (score.value, score.n, score.protocol) == (0.75, 4, "mcq/likelihood")
    assert (score.low, score.high) == wilson(3, 4)
    assert _make("mcq_accuracy").need is Need.CHOICES


def test_generate_takes_the_strict_form_alone(answered):
    items = [answered("answer:\nC", "C"), answered("정답은 C입니다", "C"), answered("answer:\nA", "B")]
    score = _make("mcq_accuracy", protocol="generate").score(items)
    assert (score.value, score.protocol) == (pytest.approx(1 / 3), "mcq/generate")
    assert score.details["lenient"] == pytest.approx(2 / 3)
    assert score.details["no_answer"] == pytest.approx(1 / 3)
    assert _make("mcq_accuracy", protocol="generate").need is Need.COMPLETIONS


def test_loops_and_cut_off_texts_are_counted(answered):
    items = [answered("간은 크다. " * 9, "C", ended=False), answered("answer:\nC", "C")]
    details = _make("mcq_accuracy", protocol="generate").score(items).details
    assert (details["loop"], details["cut_off"]) == (0.5, 0.5)


def test_over_five_percent_without_an_answer_is_invalid(answered):
    right = [answered(f"answer:\n{x}", x) for x in _cycle(95)]
    silent = [answered("?", "C") for _ in range(6)]
    metric = _make("mcq_accuracy", protocol="generate")
    assert metric.score([*right, *silent[:5]]).invalid is None
    assert "no answer" in metric.score([*right, *silent]).invalid


def test_below_chance_by_two_sigma_is_invalid(chose):
    wrong = {"A": "B", "B": "C", "C": "D", "D": "E", "E": "A"}
    n = 100
    edge = math.ceil(n * (0.2 - 2 * math.sqrt(0.2 * 0.8 / n)))

    def score(hits):
        items = [chose(x if at < hits else wrong[x], x) for at, x in enumerate(_cycle(n))]
        return _make("mcq_accuracy").score(items)

    assert score(edge).invalid is None
    assert "below chance" in score(edge - 1).invalid


def test_one_letter_for_over_sixty_percent_is_invalid(chose):
    def score(same):
        items = [
            chose("A" if at < same else "BCDE"[at % 4], "A" if at < same else "BCDE"[at % 4])
            for at in range(100)
        ]
        return _make("mcq_accuracy").score(items)

    assert score(60).invalid is None
    assert score(60).details["top_letter"] == 0.6
    assert "one letter" in score(61).invalid


def test_few_items_say_nothing_about_the_spread_of_letters(chose):
    assert _make("mcq_accuracy").score([chose("A", "A")] * 9).invalid is None


def test_likelihoods_that_are_no_numbers_are_no_answer(chose):
    from dataclasses import replace

    broken = replace(chose("A", "A"), choice_scores=(math.nan,) * 5)
    score = _make("mcq_accuracy").score([broken, chose("A", "A")])
    assert score.value == 0.5
    assert score.invalid


def test_format_is_a_third_and_counts_before_the_answer(answered):
    items = [
        answered("answer:\nC", "C"),
        answered("answer:\nA", "C"),
        answered("정답 C", "C"),
        answered("", "C"),
    ]
    score = _make("mcq_format").score(items)
    assert score.value == pytest.approx((1 + 1 / 3 + 0 + 0) / 4)
    assert score.details == {"format": 0.5, "answer": 0.25}


def test_reasoning_with_every_part_is_whole(answered):
    score = _make("mcq_reasoning").score([answered(WORKED.format(n=n), "C") for n in range(4)])
    assert score.value == 1
    assert score.details == {"format": 1.0, "answer": 1.0, "distinct": 1.0, "cut_off": 0.0}


@pytest.mark.parametrize(
    ("cut", "content", "form"),
    [
        ("translate:\nWhere?\n\n", 7 / 8, 7 / 8),
        ("- A\n", 7 / 8, 1.0),
        ("점수표: A 1\n", 8 / 8 - 1 / 24, 1.0),
        ("facts:\n- {n}\n", 7 / 8, 7 / 8),
        ("answer:\nC", 7 / 8, 7 / 8),
    ],
)
def test_parts_that_are_missing_or_empty_count_apart(answered, cut, content, form):
    score = _make("mcq_reasoning").score([answered(WORKED.replace(cut, ""), "C")])
    assert score.value == pytest.approx(content)
    assert score.details["format"] == pytest.approx(form)


def test_the_same_reasoning_over_and_over_is_invalid(answered):
    metric = _make("mcq_reasoning")
    few = [answered(WORKED.format(n=at % 2), "C") for at in range(5)]
    half = [answered(WORKED.format(n=at // 2), "C") for at in range(4)]
    assert "templated" in metric.score(few).invalid
    assert metric.score(half).invalid is None


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mcq_accuracy", {}),
        ("mcq_accuracy", {"protocol": "generate"}),
        ("mcq_format", {}),
        ("mcq_reasoning", {}),
    ],
)
def test_scores_carry_the_details_that_are_announced(name, options, answered, chose):
    metric = _make(name, **options)
    item = chose("A", "A") if metric.need is Need.CHOICES else answered("answer:\nA", "A")
    assert set(metric.score([item]).details) == set(metric.details)
