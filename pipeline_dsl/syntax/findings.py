"""Collecting what is wrong with one text, and the exception that ends the reading of one statement."""

from __future__ import annotations

from pipeline_dsl.diagnostics import Diagnostic, Related, Severity, Source, Span
from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.repairs import Repair

MAX_FINDINGS = 500


class Mistake(Exception):  # noqa: N818 - of the text, not of the program
    """A statement that cannot be read on. ``resume`` is where the next one may begin, if that is known."""

    def __init__(
        self,
        code: Code,
        start: int,
        end: int,
        message: str,
        *,
        help: str | None = None,
        reason: str | None = None,
        related: tuple[Related, ...] = (),
        resume: int | None = None,
        repairs: tuple[Repair, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.start = start
        self.end = end
        self.message = message
        self.help = help
        self.reason = reason
        self.related = related
        self.resume = resume
        self.repairs = repairs


class Findings:
    """The diagnostics of one source, at most ``MAX_FINDINGS`` of them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._found: list[Diagnostic] = []

    @property
    def full(self) -> bool:
        """Whether no more findings are taken."""
        return len(self._found) >= MAX_FINDINGS

    def span(self, start: int, end: int) -> Span:
        """Make a span of this source, at least one character wide where there is one."""
        size = len(self.source.text)
        start = min(start, size)
        return Span(self.source, start, min(max(end, start + 1), size))

    def add(
        self,
        code: Code,
        start: int,
        end: int,
        message: str,
        *,
        help: str | None = None,
        reason: str | None = None,
        related: tuple[Related, ...] = (),
        severity: Severity = Severity.ERROR,
        repairs: tuple[Repair, ...] = (),
    ) -> None:
        """Note one finding at ``start`` to ``end``."""
        if self.full:
            return
        self._found.append(
            Diagnostic(
                code=code.value,
                message=message,
                span=self.span(start, end),
                severity=severity,
                help=help,
                reason=reason,
                related=related,
                fixes=tuple(repair.of(self.source) for repair in repairs),
            )
        )

    def add_mistake(self, mistake: Mistake) -> None:
        """Note what ended the reading of a statement."""
        self.add(
            mistake.code,
            mistake.start,
            mistake.end,
            mistake.message,
            help=mistake.help,
            reason=mistake.reason,
            related=mistake.related,
            repairs=mistake.repairs,
        )

    def done(self) -> tuple[Diagnostic, ...]:
        """All findings in the order of the text; a last one says where there may be more."""
        found = sorted(self._found, key=lambda d: d.span.start if d.span else 0)
        if self.full:
            last = self.span(len(self.source.text), len(self.source.text))
            found.append(
                Diagnostic(
                    code=Code.TOO_MANY.value,
                    message=f"only the first {MAX_FINDINGS} errors are shown",
                    span=last,
                    help="mend the first ones; many of the others may go with them",
                )
            )
        return tuple(found)
