"""chrF by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics import CHRF

from medrecipe_plugins.metrics._intervals import RESAMPLES


class _Chrf(CHRF):  # type: ignore[misc]  # sacrebleu is not followed
    """Gives plain floats: 2.6 mixes numpy's with Python's in its bootstrap, and has no mean of the two."""

    def _compute_f_score(self, statistics: list[int]) -> float:
        return float(super()._compute_f_score(statistics))


def corpus_chrf(texts: Sequence[str], references: Sequence[str]) -> tuple[float, float, float, str]:
    """Return the score, its 95 % bootstrap interval and sacrebleu's signature."""
    metric = _Chrf()
    result = metric.corpus_score(
        list(texts), [list(references)], n_bootstrap=RESAMPLES if len(texts) > 1 else 1
    )
    value, mean, half = result.score, getattr(result, "_mean", -1.0), getattr(result, "_ci", -1.0)
    if half < 0:
        mean, half = value, 0.0
    return value, min(value, mean - half), max(value, mean + half), metric.get_signature().format(short=True)
