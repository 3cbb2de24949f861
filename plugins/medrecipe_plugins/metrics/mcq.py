"""Multiple-choice questions: ``mcq_accuracy``, ``mcq_format`` and ``mcq_reasoning``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from medrecipe_plugins.metrics import _answers, _sections
from medrecipe_plugins.metrics._intervals import bootstrap, mean, wilson
from medrecipe_plugins.metrics._texts import produced
from pipeline_dsl.api import Need, Observation, Provider, Score, hookimpl, option

_FEW = 10
"""Items below which nothing is said about the spread of answers."""
_MOST_SILENT = 0.05
"""Share of items without a readable answer that is borne."""
_MOST_OF_ONE = 0.6
"""Share of the answers that one letter may have."""
_LEAST_DISTINCT = 0.5
"""Share of the reasoning texts that have to differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyOptions:
    """Share of questions answered right."""

    protocol: Literal["likelihood", "generate"] = option(
        "likelihood", doc="compare the options' likelihoods, or read what the model writes; never comparable"
    )
    max_new_tokens: int = option(32, ge=1, doc="tokens after which generation is cut off")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatOptions:
    """Greedy generation."""

    max_new_tokens: int = option(32, ge=1, doc="tokens after which generation is cut off")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningOptions:
    """Greedy generation of worked answers."""

    max_new_tokens: int = option(1024, ge=1, doc="tokens after which generation is cut off")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of right letters.

    ``likelihood``: the choice with the highest log-likelihood, the first of equal ones.
    ``generate``: the letter in the strict form alone; ``lenient`` shows what a kind reader would find.
    """

    options: AccuracyOptions
    higher_is_better: ClassVar[bool] = True

    @property
    def need(self) -> Need:
        """Likelihoods of the choices, or texts."""
        return Need.CHOICES if self.options.protocol == "likelihood" else Need.COMPLETIONS

    @property
    def max_new_tokens(self) -> int:
        """Tokens after which generation is cut off."""
        return self.options.max_new_tokens

    @property
    def details(self) -> Sequence[str]:
        """Further figures; all but the last only where the model writes."""
        if self.options.protocol == "likelihood":
            return ("top_letter",)
        return ("no_answer", "loop", "cut_off", "lenient", "reasoning", "top_letter")

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score with Wilson's interval; ``invalid`` says why a result should not be believed."""
        writes = self.options.protocol == "generate"
        letters = [_answers.strict(produced(o)) if writes else likeliest(o) for o in observations]
        hits, n = (
            sum(given == o.sample.answer for given, o in zip(letters, observations, strict=True)),
            len(letters),
        )
        low, high = wilson(hits, n)
        details = _writing(observations, letters) if writes else {}
        return Score(
            value=hits / n,
            low=low,
            high=high,
            n=n,
            protocol=f"mcq/{self.options.protocol}",
            details=details | {"top_letter": top_share(letters)},
            invalid=suspicion(hits / n, letters, _options_of(observations)),
        )


def likeliest(observation: Observation) -> str | None:
    """Letter of the likeliest choice, or None where a likelihood is missing or not a number."""
    scores, choices = observation.choice_scores, observation.sample.choices
    if len(scores) != len(choices) or not scores or any(math.isnan(score) for score in scores):
        return None
    best = max(range(len(scores)), key=lambda index: (scores[index], -index))
    return _answers.strict(choices[best]) or _answers.LETTERS[best]


def top_share(letters: Sequence[str | None]) -> float:
    """Share of the most frequent letter among the answers given; 0 without any."""
    given = Counter(letter for letter in letters if letter)
    return max(given.values()) / given.total() if given else 0.0


def suspicion(value: float, letters: Sequence[str | None], options: int) -> str | None:
    """Why an evaluation should not be believed, or None.

    Over 5 % without an answer; below chance by two standard deviations; one letter in over 60 % of answers.
    """
    n, chance = len(letters), 1 / options
    silent = sum(letter is None for letter in letters) / n
    if silent > _MOST_SILENT:
        return f"no answer could be read in {100 * silent:.0f} % of the items"
    if value < chance - 2 * math.sqrt(chance * (1 - chance) / n):
        return f"{value:.2f} is below chance ({chance:.2f}) by more than two standard deviations"
    if n >= _FEW and top_share(letters) > _MOST_OF_ONE:
        return f"one letter is {100 * top_share(letters):.0f} % of the answers"
    return None


def _options_of(observations: Sequence[Observation]) -> int:
    return max(2, max(len(o.sample.choices) for o in observations) or len(_answers.LETTERS))


def _writing(observations: Sequence[Observation], letters: Sequence[str | None]) -> dict[str, float]:
    texts = [produced(o) for o in observations]
    kind = [_answers.lenient(text) == o.sample.answer for text, o in zip(texts, observations, strict=True)]
    return {
        "no_answer": mean([float(letter is None) for letter in letters]),
        "loop": mean([float(_answers.loops(text)) for text in texts]),
        "cut_off": mean([float(not o.ended) for o in observations]),
        "lenient": mean([float(right) for right in kind]),
        "reasoning": mean([_sections.content_share(_sections.sections(text)) for text in texts]),
    }


@dataclass(frozen=True, slots=True)
class Format:
    """format/3 + answer·2/3; a right answer counts only in the strict form."""

    options: FormatOptions
    need: ClassVar[Need] = Need.COMPLETIONS
    higher_is_better: ClassVar[bool] = True
    details: ClassVar[Sequence[str]] = ("format", "answer")

    @property
    def max_new_tokens(self) -> int:
        """Tokens after which generation is cut off."""
        return self.options.max_new_tokens

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score with a bootstrap interval."""
        letters = [_answers.strict(produced(o)) for o in observations]
        formed = [float(letter is not None) for letter in letters]
        right = [float(letter == o.sample.answer) for letter, o in zip(letters, observations, strict=True)]
        values = [(f + 2 * r) / 3 for f, r in zip(formed, right, strict=True)]
        low, high = bootstrap(values, mean)
        details = {"format": mean(formed), "answer": mean(right)}
        return Score(
            value=mean(values),
            low=low,
            high=high,
            n=len(values),
            protocol="mcq_format/generate",
            details=details,
        )


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Share of the parts of a worked answer that are there and not empty."""

    options: ReasoningOptions
    need: ClassVar[Need] = Need.COMPLETIONS
    higher_is_better: ClassVar[bool] = True
    details: ClassVar[Sequence[str]] = ("format", "answer", "distinct", "cut_off")

    @property
    def max_new_tokens(self) -> int:
        """Tokens after which generation is cut off."""
        return self.options.max_new_tokens

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score with a bootstrap interval; invalid where under half of the reasoning texts are distinct."""
        texts = [produced(o) for o in observations]
        found = [_sections.sections(text) for text in texts]
        values = [_sections.content_share(parts) for parts in found]
        reasons = [parts["reasoning"] for parts in found if parts.get("reasoning")]
        distinct = len(set(reasons)) / len(reasons) if reasons else 1.0
        right = [
            _answers.strict(text) == o.sample.answer for text, o in zip(texts, observations, strict=True)
        ]
        low, high = bootstrap(values, mean)
        details = {
            "format": mean([_sections.format_share(parts) for parts in found]),
            "answer": mean([float(hit) for hit in right]),
            "distinct": distinct,
            "cut_off": mean([float(not o.ended) for o in observations]),
        }
        return Score(
            value=mean(values),
            low=low,
            high=high,
            n=len(values),
            protocol="mcq_reasoning/generate",
            details=details,
            invalid=None
            if distinct >= _LEAST_DISTINCT
            else "templated reasoning: under half of the texts are distinct",
        )


@hookimpl
def medrecipe_metrics() -> Sequence[Provider]:
    """Offer the metrics of multiple-choice questions."""
    return [
        Provider(
            name="mcq_accuracy", summary="share of right letters", factory=Accuracy, options=AccuracyOptions
        ),
        Provider(
            name="mcq_format", summary="strict answer form, a third, and right answer", factory=Format,
            options=FormatOptions,
        ),
        Provider(
            name="mcq_reasoning", summary="parts of a worked answer that are there", factory=Reasoning,
            options=ReasoningOptions,
        ),
    ]  # fmt: skip
