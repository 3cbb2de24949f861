"""Tokens that a recipe adds to the vocabulary and that its training data never produces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.records import Prepared

_NAMED = 5
"""Tokens that the message names at most."""


def refuse_unseen(fresh: Mapping[int, str], phase: str, samples: Iterable[Prepared]) -> None:
    """Hold a training to the tokens whose rows it is to teach.

    Args:
        fresh: these tokens by their ids.
        phase: whose training it is.
        samples: all that it may read.

    Raises:
        DataError: MR543, at least one of the tokens is in no sample: its row would learn nothing.
    """
    missing = dict(fresh)
    for sample in samples:
        if not missing:
            return
        for token in missing.keys() & set(sample.ids):
            del missing[token]
    if missing:
        tokens = list(missing.values())
        more = f" and {len(tokens) - _NAMED} more" if len(tokens) > _NAMED else ""
        raise DataError(
            f"{len(tokens)} of {len(fresh)} added tokens are in no sample that `{phase}` trains on: "
            f"{', '.join(tokens[:_NAMED])}{more}",
            code="MR543",
            help="take them out of add_tokens, or give the phase text that has them",
        )
