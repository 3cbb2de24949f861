"""``custom``: a template written in the recipe, ``{field}`` and nothing more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from medrecipe_plugins.templates._fields import text_of
from pipeline_dsl.api import DataError, MedrecipeError, Message, Provider, Row, Sample, hookimpl, option

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Text in which ``{field}`` stands for a column; ``{{`` and ``}}`` are braces."""

    prompt: str = option(doc="text before the completion")
    completion: str = option(doc="text to be learned")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text cut into literals and the names of fields, in turns."""

    source: str
    literals: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, source: str, place: str) -> Pattern:
        """Cut a text.

        Raises:
            MedrecipeError: MR320 a brace has no partner; MR321 a name in braces is no field name (attributes
                and indexes are not followed); MR322 there is nothing between braces.
        """
        literals, names, at = [""], list[str](), 0
        for token in _TOKEN.finditer(source):
            literals[-1] += source[at : token.start()]
            at = token.end()
            if token.group() in ("{{", "}}"):
                literals[-1] += token.group()[0]
            else:
                names.append(_field(token, place))
                literals.append("")
        literals[-1] += source[at:]
        return cls(source, tuple(literals), tuple(names))

    def fill(self, row: Row, id: str) -> str:
        """Put a row's texts in; braces in them are text."""
        parts = [self.literals[0]]
        for name, literal in zip(self.names, self.literals[1:], strict=True):
            parts += [text_of(row, name, id), literal]
        return "".join(parts)


def _field(token: re.Match[str], place: str) -> str:
    name = token.group(1)
    if name is None:
        message = f"the brace at character {token.start() + 1} has no partner"
        raise MedrecipeError(message, code="MR320", place=place, help="write {{ or }} for a brace")
    if not name.strip():
        message = "there is no field between the braces"
        raise MedrecipeError(message, code="MR322", place=place, help="write {{}} for braces")
    if not _NAME.fullmatch(name):
        message = f"{{{name}}} is no field: only plain names stand in braces"
        help_ = "name a column; attributes are not followed"
        raise MedrecipeError(message, code="MR321", place=place, help=help_)
    return name


@dataclass(frozen=True, slots=True)
class Custom:
    """The recipe's own template. Built once its texts are sound."""

    options: Options
    _prompt: Pattern = field(init=False)
    _completion: Pattern = field(init=False)

    def __post_init__(self) -> None:
        """Parse both texts, or raise MedrecipeError."""
        object.__setattr__(self, "_prompt", Pattern.parse(self.options.prompt, "prompt"))
        object.__setattr__(self, "_completion", Pattern.parse(self.options.completion, "completion"))

    @property
    def fields(self) -> Sequence[str]:
        """The names in braces, each once, in the order in which they stand."""
        return tuple(dict.fromkeys((*self._prompt.names, *self._completion.names)))

    def render(self, row: Row, id: str) -> Iterable[Sample]:
        """One sample a row."""
        completion = self._completion.fill(row, id)
        if not completion.strip():
            raise DataError("the completion is empty", code="MR512", place=id)
        return [Sample(prompt=self._prompt.fill(row, id), completion=completion, id=id)]

    @property
    def asks(self) -> Sequence[str]:
        """The fields of the prompt."""
        return tuple(dict.fromkeys(self._prompt.names))

    @property
    def takes_turns(self) -> bool:
        """It was never taught after earlier turns."""
        return False

    @property
    def stops(self) -> Sequence[str]:
        """The words with which a next prompt would begin, on a line of their own or at the start of one."""
        first = self._prompt.literals[0].strip().partition("\n")[0]
        return (f"\n{first}",) if first else ()

    def read(self, text: str) -> Row:
        """The one field of the prompt."""
        if len(self.asks) != 1:
            names = ", ".join(self.asks) or "none"
            message = f"the prompt of this template has {len(self.asks)} fields: {names}"
            raise MedrecipeError(message, code="MR266", help="give rows with these columns in a --file")
        return {self.asks[0]: text}

    def ask(self, row: Row, turns: Sequence[Message] = ()) -> Sample:  # noqa: ARG002 - it takes no turns
        """The prompt of a row."""
        return Sample(prompt=self._prompt.fill(row, ""), completion="")

    def text(self) -> str:
        """Both texts as written."""
        return f"{self.options.prompt}\x00{self.options.completion}"


@hookimpl
def medrecipe_templates() -> Sequence[Provider]:
    """Offer the template."""
    return [
        Provider(name="custom", summary="a template written in the recipe", factory=Custom, options=Options)
    ]
