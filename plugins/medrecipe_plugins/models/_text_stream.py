"""Text out of tokens as they come: whole letters only, and nothing that may still become a stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_HALF = "\ufffd"
"""What a tokenizer gives for the first bytes of a letter."""


class TextStream:
    """The text of a growing list of tokens; its pieces together are the decoded text up to the first stop.

    Args:
        decode: text of token ids.
        stops: texts at which it ends.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stops = [stop for stop in stops if stop]
        self._ids: list[int] = []
        self._context = 0
        self._known = 0
        self._given = 0
        self._text = ""
        self.stopped = False
        """Whether a stop came: nothing follows."""

    def push(self, token: int) -> str:
        """Take a token in and return what is certain to come next."""
        self._ids.append(token)
        self._text += self._new_letters()
        return self._give(len(self._text) - self._possible_stop())

    def finish(self) -> str:
        """Return what was held back, now that no token follows."""
        whole = self._decode(self._ids)
        if whole.startswith(self._text):
            self._text = whole
        return self._give(len(self._text))

    def _new_letters(self) -> str:
        """Decode the newest tokens behind a few earlier ones: what one means depends on its neighbours."""
        before = self._decode(self._ids[self._context : self._known])
        now = self._decode(self._ids[self._context :])
        if len(now) <= len(before) or now.endswith(_HALF):
            return ""
        self._context, self._known = self._known, len(self._ids)
        return now[len(before) :]

    def _give(self, end: int) -> str:
        places = [self._text.find(stop) for stop in self._stops if stop in self._text]
        if places and not self.stopped:
            self.stopped, end = True, min(places)
            self._text = self._text[:end]
        end = max(min(end, len(self._text)), self._given)
        piece, self._given = self._text[self._given : end], end
        return piece

    def _possible_stop(self) -> int:
        """Length of the end of the text with which a stop may begin."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        ends = range(min(longest, len(self._text)), 0, -1)
        return next((n for n in ends if any(s.startswith(self._text[-n:]) for s in self._stops)), 0)
