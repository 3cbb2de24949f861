"""``perplexity`` and ``loss``: how well a model expects a text, token by token."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from medrecipe_plugins.metrics._intervals import bootstrap
from pipeline_dsl.api import Need, NoOptions, Observation, Provider, Score, hookimpl

_LARGEST = 700.0
"""exp of more overflows; no model is that surprised but a broken one."""


def mean_loss(pairs: Sequence[tuple[float, int]]) -> float:
    """Sum of losses / sum of tokens, over (summed nats, tokens) of each item."""
    return math.fsum(nll for nll, _ in pairs) / max(1, sum(tokens for _, tokens in pairs))


def perplexity(pairs: Sequence[tuple[float, int]]) -> float:
    """exp(mean loss over all tokens), so that long items count by their length."""
    return math.exp(min(_LARGEST, mean_loss(pairs)))


@dataclass(frozen=True, slots=True)
class TokenLosses:
    """A figure of the losses of all completion tokens."""

    name: str
    figure: Callable[[Sequence[tuple[float, int]]], float]
    need: ClassVar[Need] = Need.TOKEN_LOSSES
    higher_is_better: ClassVar[bool] = False
    max_new_tokens: ClassVar[int] = 0
    details: ClassVar[Sequence[str]] = ("tokens",)

    def score(self, observations: Sequence[Observation]) -> Score:
        """Score with a bootstrap interval over items."""
        pairs = [(o.nll or 0.0, o.tokens or 0) for o in observations]
        low, high = bootstrap(pairs, self.figure)
        finite = all(math.isfinite(nll) for nll, _ in pairs)
        return Score(
            value=self.figure(pairs),
            low=low,
            high=high,
            n=len(pairs),
            protocol=f"{self.name}/token_losses",
            higher_is_better=False,
            details={"tokens": float(sum(tokens for _, tokens in pairs))},
            invalid=None if finite else "the loss of an item is not finite",
        )


def _perplexity(_: NoOptions) -> TokenLosses:
    return TokenLosses("perplexity", perplexity)


def _loss(_: NoOptions) -> TokenLosses:
    return TokenLosses("loss", mean_loss)


@hookimpl
def medrecipe_metrics() -> Sequence[Provider]:
    """Offer both metrics."""
    return [
        Provider(name="perplexity", summary="exp of the mean token loss", factory=_perplexity),
        Provider(name="loss", summary="mean token loss in nats", factory=_loss),
    ]
