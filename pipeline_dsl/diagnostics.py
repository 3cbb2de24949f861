"""What can be said about a text: where it stands (Source, Span) and what was found (Diagnostic).

Values only: a Diagnostic is comparable with ``==`` and becomes words in ``cli/render.py``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Source:
    """One text under its name: a path as the user gave it, ``-`` for standard input, ``--set``."""

    name: str
    text: str
    line_starts: tuple[int, ...] = ()

    @classmethod
    def of(cls, name: str, text: str) -> Source:
        """Make a source and index where its lines start: after every line feed."""
        starts = [0]
        start = text.find("\n")
        while start >= 0:
            starts.append(start + 1)
            start = text.find("\n", start + 1)
        return cls(name, text, tuple(starts))

    def position(self, offset: int) -> tuple[int, int]:
        """Return the 1-based line and column (in code points) of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of a 1-based line, without its line end."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source: ``start`` inclusive, ``end`` exclusive, in code points."""

    source: Source
    start: int
    end: int

    def __repr__(self) -> str:
        return f"Span({self.source.name}:{self.line}:{self.column}+{self.end - self.start})"

    @property
    def text(self) -> str:
        """The source text of this span."""
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        """1-based line of the start."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """1-based column of the start, in code points."""
        return self.source.position(self.start)[1]

    @property
    def end_position(self) -> tuple[int, int]:
        """1-based line and column of the end (exclusive)."""
        return self.source.position(self.end)

    def overlaps(self, others: Iterable[Span]) -> bool:
        """Whether it has a place in common with one of the others; an empty span is one place."""
        return any(
            other.source is self.source
            and other.start < max(self.end, self.start + 1)
            and self.start < max(other.end, other.start + 1)
            for other in others
        )

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of the other, in the same source."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))


class Severity(StrEnum):
    """How much a finding weighs: an error stops the command, a warning is only said."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A second place that a finding is about, with what stands there."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of a text: what stands at ``span`` becomes ``text``; an empty span is an insertion."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A change that removes a finding.

    ``safe`` says that what the author meant is certain, so that ``check --fix`` may make the change unasked.
    """

    message: str
    """What it does, in the imperative: ``write `learning_rate```."""
    edits: tuple[Edit, ...]
    """Of one source, in order, without overlap."""
    safe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding. ``message`` states the fact, ``reason`` says why it matters, ``help`` what to write."""

    code: str
    message: str
    span: Span | None = None
    severity: Severity = Severity.ERROR
    help: str | None = None
    reason: str | None = None
    related: tuple[Related, ...] = ()
    fixes: tuple[Fix, ...] = ()
    """Ways out, the likeliest first."""

    @property
    def is_error(self) -> bool:
        """Whether this finding stops the command."""
        return self.severity is Severity.ERROR
