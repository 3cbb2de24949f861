"""What a model is asked to write, and what it writes, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pipeline_dsl.api.records import Sample

BASE = ""
"""The name that stands for the untouched base, without any adapter."""
Finish = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One text to be written."""

    id: str
    """Told from the others by this, for as long as it is written."""
    sample: Sample
    """Its prompt or chat turns; a completion is not looked at."""
    stack: str = BASE
    """The name under which ``Adapter.attach_several`` put on the stack that writes it."""
    max_new_tokens: int = 256
    temperature: float = 0.0
    """Logits are divided by it before sampling; 0 is greedy decoding."""
    top_p: float = 1.0
    """Samples from the most likely tokens whose probabilities sum to it (Holtzman et al. 2020)."""
    seed: int = 0
    """Of the sampling: the same request gives the same text, whatever is written beside it."""
    stops: tuple[str, ...] = ()
    """Texts at which it ends, beside the model's own end marks; they are not part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one step added to one text."""

    id: str
    text: str
    """May be empty: half of a letter, or what may become a stop, is held back."""
    tokens: int
    """Tokens so far, an end mark included."""
    confidence: float
    """Geometric mean of the probabilities that the model gave the tokens so far, 0 to 1, at temperature 1."""
    finish: Finish | None = None
    """``stop`` at an end mark or a stop, ``length`` where no more tokens were wanted or fit; else None."""


class Decoder(Protocol):
    """Writes several texts at once, each with its own stack. Texts come and go between steps.

    What a text is does not depend on what is written beside it. One thread at a time may use it.
    """

    def add(self, request: Generation) -> int:
        """Take in a text to be written, and return the number of tokens of its prompt.

        Raises:
            DataError: MR530, the prompt leaves no room in the model's positions; MR531, MR533: it cannot be
                encoded.
            ModelError: its stack is not on the model.
        """

    def remove(self, id: str) -> None:
        """Forget a text; nothing happens where it is finished already."""

    def step(self) -> Sequence[Piece]:
        """Write one more token of every text; finished ones are forgotten. Nothing to write: no pieces."""

    def __len__(self) -> int:
        """How many texts are being written."""
