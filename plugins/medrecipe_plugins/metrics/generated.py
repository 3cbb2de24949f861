"""``exact_match``, ``token_f1``, ``chrf``, ``keyword_recall``, ``hangul_ratio``: scores of written texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from medrecipe_plugins.metrics._intervals import bootstrap, mean, wilson
from medrecipe_plugins.metrics._texts import expected, folded, hangul_share, produced, words
from pipeline_dsl.api import Need, Observation, Provider, Score, hookimpl, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Greedy generation."""

    max_new_tokens: int = option(64, ge=1, doc="tokens after which generation is cut off")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordOptions:
    """Greedy generation, searched for words."""

    keywords: tuple[str, ...] = option((), doc="words to be found; if none, those of the expected text")
    max_new_tokens: int = option(128, ge=1, doc="tokens after which generation is cut off")


@dataclass(frozen=True, slots=True)
class _Generated:
    """What all of these share."""

    options: Options
    need: ClassVar[Need] = Need.COMPLETIONS
    higher_is_better: ClassVar[bool] = True
    details: ClassVar[Sequence[str]] = ("cut_off",)

    @property
    def max_new_tokens(self) -> int:
        """Tokens after which generation is cut off."""
        return self.options.max_new_tokens


def cut_off(observations: Sequence[Observation]) -> float:
    """Share of texts that came to the limit instead of their end."""
    return mean([float(not o.ended) for o in observations])


def mean_score(
    values: Sequence[float], observations: Sequence[Observation], protocol: str, **details: float
) -> Score:
    """The mean of item scores with a bootstrap interval."""
    low, high = bootstrap(values, mean)
    figures = {"cut_off": cut_off(observations)} | details
    return Score(value=mean(values), low=low, high=high, n=len(values), protocol=protocol, details=figures)


class ExactMatch(_Generated):
    """Share of texts equal to the expected one, after NFC and folding of white space."""

    __slots__ = ()

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score with Wilson's interval."""
        hits = sum(folded(produced(o)) == folded(expected(o.sample)) for o in observations)
        n = len(observations)
        low, high = wilson(hits, n)
        details = {"cut_off": cut_off(observations)}
        return Score(value=hits / n, low=low, high=high, n=n, protocol="exact_match/greedy", details=details)


def token_f1(text: str, reference: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of the multisets of words (Rajpurkar et al. 2016); 1 where both are empty."""
    ours, theirs = Counter(words(text)), Counter(words(reference))
    if not ours and not theirs:
        return 1.0, 1.0, 1.0
    common = (ours & theirs).total()
    precision = common / ours.total() if ours else 0.0
    recall = common / theirs.total() if theirs else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if common else 0.0


class TokenF1(_Generated):
    """Mean F1 of words."""

    __slots__ = ()
    details: ClassVar[Sequence[str]] = ("precision", "recall", "cut_off")

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score with a bootstrap interval."""
        items = [token_f1(produced(o), expected(o.sample)) for o in observations]
        precision, recall = mean([p for p, _, _ in items]), mean([r for _, r, _ in items])
        values = [f1 for _, _, f1 in items]
        return mean_score(values, observations, "token_f1/greedy", precision=precision, recall=recall)


class HangulRatio(_Generated):
    """Mean share of the generated letters that are Hangul."""

    __slots__ = ()

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score with a bootstrap interval."""
        values = [hangul_share(produced(o)) for o in observations]
        return mean_score(values, observations, "hangul_ratio/greedy")


class Chrf(_Generated):
    """Corpus chrF2 (Popović 2015) by sacrebleu, 0 to 100."""

    __slots__ = ()

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score with sacrebleu's bootstrap interval."""
        from medrecipe_plugins.metrics._chrf import corpus_chrf

        texts = [folded(produced(o)) for o in observations]
        value, low, high, signature = corpus_chrf(texts, [folded(expected(o.sample)) for o in observations])
        return Score(
            value=value,
            low=low,
            high=high,
            n=len(texts),
            protocol=f"chrf/greedy/{signature}",
            details={"cut_off": cut_off(observations)},
            perfect=100.0,
        )


def keyword_recall(text: str, keywords: Sequence[str]) -> float:
    """Share of keywords that a text holds, anywhere in it: Korean particles stick to their words."""
    found = " ".join(words(text))
    wanted = {" ".join(words(keyword)) for keyword in keywords} - {""}
    return mean([float(word in found) for word in wanted]) if wanted else 1.0


@dataclass(frozen=True, slots=True)
class KeywordRecall:
    """Mean share of keywords that are found."""

    options: KeywordOptions
    need: ClassVar[Need] = Need.COMPLETIONS
    higher_is_better: ClassVar[bool] = True
    details: ClassVar[Sequence[str]] = ("cut_off",)

    @property
    def max_new_tokens(self) -> int:
        """Tokens after which generation is cut off."""
        return self.options.max_new_tokens

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score with a bootstrap interval."""
        values = [
            keyword_recall(produced(o), self.options.keywords or words(expected(o.sample)))
            for o in observations
        ]
        return mean_score(values, observations, "keyword_recall/greedy")


@hookimpl
def medrecipe_metrics() -> Sequence[Provider]:
    """Offer the metrics of generated texts."""
    return [
        Provider(
            name="exact_match",
            summary="share of texts equal to the expected",
            factory=ExactMatch,
            options=Options,
        ),
        Provider(name="token_f1", summary="F1 of words", factory=TokenF1, options=Options),
        Provider(name="chrf", summary="chrF2 of translations, 0 to 100", factory=Chrf, options=Options),
        Provider(
            name="hangul_ratio",
            summary="share of letters that are Hangul",
            factory=HangulRatio,
            options=Options,
        ),
        Provider(
            name="keyword_recall",
            summary="share of keywords found",
            factory=KeywordRecall,
            options=KeywordOptions,
        ),
    ]
