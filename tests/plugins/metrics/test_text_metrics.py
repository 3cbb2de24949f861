"""Metrics of losses and of generated texts, against their formulas."""

import math
import unicodedata

import pytest

from medrecipe_plugins.metrics import generated, token_losses
from pipeline_dsl.api import Need, Observation, Sample


def _make(name, **options):
    offers = (*generated.medrecipe_metrics(), *token_losses.medrecipe_metrics())
    provider = next(p for p in offers if p.name == name)
    return provider.factory(provider.options(**options))


def _lost(*pairs):
    sample = Sample(prompt="", completion="x")
    return [Observation(sample=sample, nll=nll, tokens=tokens) for nll, tokens in pairs]


def test_perplexity_counts_tokens_not_items():
    score = _make("perplexity").score(_lost((2.0, 1), (1.0, 9)))
    assert score.value == pytest.approx(math.exp(3.0 / 10))
    assert score.low <= score.value <= score.high
    assert (score.n, score.protocol, score.higher_is_better) == (2, "perplexity/token_losses", False)


def test_loss_is_the_logarithm_of_perplexity():
    items = _lost((2.0, 1), (1.0, 9), (30.0, 3))
    assert math.exp(_make("loss").score(items).value) == pytest.approx(_make("perplexity").score(items).value)


def test_a_loss_that_is_not_finite_makes_the_score_invalid():
    score = _make("perplexity").score(_lost((math.inf, 3), (1.0, 2)))
    assert score.invalid
    assert math.isfinite(score.value)


def test_exact_match_folds_white_space_and_composition(wrote):
    parts = unicodedata.normalize("NFD", "간암")
    items = [
        wrote(f" {parts}\n", "간암"),
        wrote("간  암", "간 암"),
        wrote("간암.", "간암"),
        wrote("", "간암", ended=False),
    ]
    score = _make("exact_match").score(items)
    assert (score.value, score.n, score.protocol) == (0.5, 4, "exact_match/greedy")
    assert score.details == {"cut_off": 0.25}


def test_exact_match_prefers_the_samples_answer():
    sample = Sample(prompt="p", completion=" yes", answer="yes")
    assert _make("exact_match").score([Observation(sample=sample, text=" yes ")]).value == 1


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("the cat sat", "the cat", (2 / 3, 1.0, 0.8)),
        ("The, CAT!", "the cat", (1.0, 1.0, 1.0)),
        ("a a a", "a b", (1 / 3, 1 / 2, 0.4)),
        ("dog", "cat", (0.0, 0.0, 0.0)),
        ("", "cat", (0.0, 0.0, 0.0)),
        ("...", "!", (1.0, 1.0, 1.0)),
    ],
)
def test_token_f1_compares_multisets_of_words(text, reference, expected):
    assert generated.token_f1(text, reference) == pytest.approx(expected)


def test_token_f1_carries_precision_and_recall(wrote):
    score = _make("token_f1").score([wrote("the cat sat", "the cat"), wrote("cat", "cat")])
    assert score.value == pytest.approx(0.9)
    assert score.details == pytest.approx({"precision": 5 / 6, "recall": 1.0, "cut_off": 0.0})


def test_chrf_is_sacrebleus(wrote):
    from sacrebleu.metrics import CHRF

    texts, references = ["간은 크다", "폐는 둘이다"], ["간은 크다", "폐는 두 개다"]
    score = _make("chrf").score([wrote(t, r) for t, r in zip(texts, references, strict=True)])
    assert score.value == pytest.approx(CHRF().corpus_score(texts, [references]).score)
    assert score.low <= score.value <= score.high
    assert score.protocol.startswith("chrf/greedy/")


def test_chrf_has_an_interval_where_some_samples_have_nothing_in_common(wrote):
    score = _make("chrf").score([wrote("", "간은 크다"), wrote("폐는 둘이다", "폐는 두 개다")])
    assert score.low < score.value < score.high
    assert {type(figure) for figure in (score.value, score.low, score.high)} == {float}


def test_chrf_of_equal_texts_is_100(wrote):
    assert _make("chrf").score([wrote("간은 크다", "간은 크다")]).value == pytest.approx(100)


def test_keywords_are_found_inside_korean_words(wrote):
    score = _make("keyword_recall", keywords=("간암", "Hepatitis", "폐")).score(
        [wrote("간암이며 hepatitis-B이다")]
    )
    assert score.value == pytest.approx(2 / 3)


def test_without_keywords_the_words_of_the_expected_text_are_asked_for(wrote):
    assert _make("keyword_recall").score([wrote("liver lung", "lung, heart")]).value == 0.5


@pytest.mark.parametrize(
    ("text", "share"), [("간 liver", 1 / 6), ("간,폐!", 1.0), ("12 ??", 0.0), ("ㄱa", 0.5)]
)
def test_hangul_ratio_counts_letters_only(wrote, text, share):
    assert _make("hangul_ratio").score([wrote(text)]).value == pytest.approx(share)


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "chrf", "keyword_recall", "hangul_ratio"])
def test_generated_metrics_need_completions_of_the_length_asked_for(name):
    metric = _make(name, max_new_tokens=9)
    assert (metric.need, metric.max_new_tokens, metric.higher_is_better) == (Need.COMPLETIONS, 9, True)


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "chrf", "keyword_recall", "hangul_ratio", "perplexity", "loss"])  # fmt: skip
def test_scores_carry_the_details_that_are_announced(name, wrote):
    metric = _make(name)
    items = _lost((1.0, 1)) if metric.need is Need.TOKEN_LOSSES else [wrote("a", "a")]
    assert set(metric.score(items).details) == set(metric.details)
