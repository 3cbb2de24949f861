"""Collecting findings while a recipe is read."""

from __future__ import annotations

from pipeline_dsl.diagnostics import Diagnostic, Fix, Related, Severity, Span
from pipeline_dsl.recipe.codes import ABSENCES, Code
from pipeline_dsl.syntax.codes import Code as NotationCode
from pipeline_dsl.syntax.findings import MAX_FINDINGS
from pipeline_dsl.syntax.nodes import Node, Scalar, Style


class Findings:
    """What was found so far. It grows while one recipe is read and is not kept after that.

    One code at one place is one finding, the first: a block that ``like`` copies is read more than once.
    ``about`` tells apart what differs all the same. ``around``: what is reported as wrong by somebody else.
    """

    def __init__(self, around: tuple[Span, ...] = ()) -> None:
        self._lost = frozenset((span.source.name, span.line) for span in around)
        self._found: dict[object, Diagnostic] = {}
        self.attempts = 0
        """How often something was reported, known things included."""
        self.broken: list[Span] = []
        """Places that are reported as wrong already: what else is said of them only follows from that."""
        self._cut = False

    @property
    def full(self) -> bool:
        """Whether no more errors are taken."""
        return len(self._found) >= MAX_FINDINGS

    def is_lost(self, node: Node) -> bool:
        """Whether nothing is left of a block because its statements could not be read, which is told."""
        empty = isinstance(node, Scalar) and node.style is Style.EMPTY
        return empty and (node.span.source.name, node.span.line) in self._lost

    def error(
        self,
        code: Code,
        message: str,
        span: Span | None,
        *,
        help: str | None = None,
        reason: str | None = None,
        related: tuple[Related, ...] = (),
        about: str = "",
        fixes: tuple[Fix, ...] = (),
    ) -> None:
        """Add something that stops the command."""
        self.attempts += 1
        if self.full:
            self._cut = True
            return
        found = Diagnostic(
            code=code.value,
            message=message,
            span=span,
            help=help,
            reason=reason,
            related=related,
            fixes=fixes,
        )
        self._found.setdefault((code, span, about), found)

    def warning(
        self,
        code: Code,
        message: str,
        span: Span,
        *,
        help: str | None = None,
        related: tuple[Related, ...] = (),
    ) -> None:
        """Add something that is only said."""
        found = Diagnostic(
            code=code.value, message=message, span=span, severity=Severity.WARNING, help=help, related=related
        )
        self._found.setdefault((code, span, ""), found)

    def extend(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        """Add what another layer found."""
        for found in diagnostics:
            self._found.setdefault(found, found)

    def all(self) -> tuple[Diagnostic, ...]:
        """Everything, in the order in which it was found; a last one says where there may be more."""
        found = tuple(self._found.values())
        if not self._cut or any(d.code == NotationCode.TOO_MANY for d in found):
            return found
        more = Diagnostic(
            code=NotationCode.TOO_MANY.value,
            message=f"only the first {MAX_FINDINGS} errors are shown",
            span=found[-1].span,
            help="mend the first ones; many of the others may go with them",
        )
        return (*found, more)

    def present(self) -> tuple[Diagnostic, ...]:
        """Everything but what only says that something is missing."""
        return tuple(found for found in self.all() if found.code not in ABSENCES)
