"""What is at a place: a key's type and meaning, its value and who set it, a provider, a name's block."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from pipeline_dsl.api.providers import Kind
from pipeline_dsl.language_server import places
from pipeline_dsl.language_server.looks import Look
from pipeline_dsl.language_server.pieces import Role
from pipeline_dsl.language_server.vocabulary import Word
from pipeline_dsl.plan.wording import value_words
from pipeline_dsl.recipe.load import why
from pipeline_dsl.recipe.origins import LayerKind, Setting, Why
from pipeline_dsl.recipe.paths import Steps, dotted
from pipeline_dsl.syntax.names import normal

_LONGEST = 200
_IDENTIFIER = re.compile(r"[^\W\d][\w.\-]*")


@dataclass(frozen=True, slots=True)
class Told:
    """Markdown about a stretch of the text."""

    markdown: str
    start: int
    end: int


def told(look: Look) -> Told | None:
    """Say what is at a spot; None where there is nothing to say."""
    spot = look.spot
    if spot.role is Role.NOTHING or not spot.word:
        return None
    if spot.role is Role.VALUE:
        return _value(look)
    name = normal(spot.word.strip('"'))
    path = (*spot.path, name)
    section = places.declares_at(path)
    text = _named(look, section, name) if section and spot.role is Role.KEY else _key(look, path)
    return Told(text, spot.start, spot.end) if text else None


def _value(look: Look) -> Told | None:
    spot = look.spot
    if places.is_condition(spot.path):
        return _figure(look)
    name = normal(spot.word.strip('"'))
    section = places.section_at(spot.path) or places.declares_at(spot.path)
    kind = places.kind_named_at(spot.path)
    text = _named(look, section, name.partition(".")[0] if section == "data" else name) if section else None
    if text is None and kind is not None:
        text = _provider(look, kind, name)
    text = text or _key(look, spot.path)
    return Told(text, spot.start, spot.end) if text else None


def _figure(look: Look) -> Told | None:
    """A name in a condition."""
    spot = look.spot
    cursor = len(spot.typed)
    for match in _IDENTIFIER.finditer(spot.word):
        if match.start() <= cursor <= match.end():
            names = look.names("tasks")
            task = next((t for t in names if match[0] == t or match[0].startswith(f"{t}.")), None)
            text = _named(look, "tasks", task) if task else None
            if text is None and match[0] in places.FIGURES:
                text = f"`{match[0]}`: a figure of the training, as it is when the event happens"
            return Told(text, spot.start + match.start(), spot.start + match.end()) if text else None
    return None


def _named(look: Look, section: str, name: str) -> str | None:
    """A name's block as it is with everything applied."""
    definition = look.definition(section, name)
    if definition is None:
        return None
    of = {"data": "data", "tasks": "task", "phases": "phase"}.get(section, section.removesuffix("s"))
    parts = [f"**{name}** ({of})", f"```sdn\n{definition}\n```", _estimate(look, section, name)]
    return "\n\n".join(part for part in parts if part)


def _estimate(look: Look, section: str, name: str) -> str:
    """The provider's own line about a named block."""
    kind = places.kind_at((section, name))
    offer = look.analysis.vocabulary.offer(kind, look.use_at((section, name))) if kind else None
    return f"{offer.provider.name}: {offer.provider.summary}" if offer else ""


def _provider(look: Look, kind: Kind, name: str) -> str | None:
    offer = look.analysis.vocabulary.offer(kind, name)
    if offer is None:
        return None
    options = getattr(offer.provider.options, "__dataclass_fields__", {})
    listed = f"Options: {', '.join(f'`{key}`' for key in options)}" if options else "It has no options."
    return f"**{name}** ({kind}, of the plugin `{offer.plugin.name}`)\n\n{offer.provider.summary}\n\n{listed}"


def _key(look: Look, path: Steps) -> str | None:
    inner = path[:-1] if path and isinstance(path[-1], int) else path
    word = look.analysis.vocabulary.word(inner, look.use_at)
    if word is None:
        return None
    parts = [_head(word), word.doc, _origin(look, inner) if look.fresh else ""]
    return "\n\n".join(part for part in parts if part)


def _head(word: Word) -> str:
    default = f", default `{word.default}`" if word.default is not None else ", needed" if word.needed else ""
    whose = f" (option of `{word.provider}`)" if word.provider else ""
    return f"**{word.name}**: {word.type}{default}{whose}"


def _origin(look: Look, path: Steps) -> str:
    """The value as it is with everything applied, and every layer that set it, the last one wins."""
    recipe = look.analysis.loaded.recipe
    if path[:1] == ("profiles",) and (recipe is None or path[1:2] != (recipe.profile,)):
        return ""
    reason = why(look.analysis.loaded, dotted(_by_name(look, places.plain_path(path))))
    if not reason.found or isinstance(reason.value, dict) or not reason.history:
        return ""
    return "\n".join([f"Here `{_short(reason.value)}`, set by", "", *_history(look, reason)])


def _by_name(look: Look, path: Steps) -> Steps:
    """A path with the row at the cursor by its name: other files may have rows above it."""
    names = [piece.name for piece in look.spot.beside if piece.role is Role.VALUE]
    row = next((i for i, step in enumerate(path) if isinstance(step, int)), None)
    if row is None or not names or path[0] == "hooks":
        return path
    return (*path[:row], names[0], *path[row + 1 :])


def _history(look: Look, reason: Why) -> list[str]:
    last = len(reason.history) - 1
    return [
        f"- {_place(look, setting)}: `{_short(setting.value)}`{'' if i == last else ' (overridden)'}"
        for i, setting in enumerate(reason.history)
    ]


def _place(look: Look, setting: Setting) -> str:
    where = os.path.relpath(setting.span.source.name, os.path.dirname(look.analysis.path) or ".")  # noqa: PTH120
    layer = {LayerKind.LIKE: f" (like {setting.name})", LayerKind.PROFILE: f" (profile {setting.name})"}
    return f"{where}:{setting.span.line}{layer.get(setting.kind, '')}"


def _short(value: object) -> str:
    text = value_words(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
