"""What could be written at a place: keys, columns, names, providers, choices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline_dsl.api.providers import Kind
from pipeline_dsl.language_server import places
from pipeline_dsl.language_server.looks import Look
from pipeline_dsl.language_server.pieces import Role
from pipeline_dsl.language_server.vocabulary import Word
from pipeline_dsl.recipe.paths import Missing, Steps, children, locate

_OPEN_REFERENCE = re.compile(r"(?<!\$)\$\{([^{}\n]*)\Z")
_NAME_BEFORE = re.compile(r"[\w.\-]*\Z")
_NAME_AFTER = re.compile(r"[\w.\-]*")
_FOLLOWED = re.compile(r"[ \t]*[:=|]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One thing that could be written in place of ``start`` to ``end``."""

    label: str
    kind: str
    """``key``, ``column``, ``provider``, ``choice``, ``name``, ``file`` or ``value``."""
    start: int
    end: int
    insert: str
    detail: str = ""
    doc: str = ""
    needed: bool = False


def proposals(look: Look) -> tuple[Proposal, ...]:
    """Say what could be written at a spot."""
    spot = look.spot
    if spot.role is Role.NOTHING:
        return ()
    reference = _OPEN_REFERENCE.search(spot.typed)
    if reference:
        return tuple(_references(look, reference[1]))
    if spot.role is Role.VALUE:
        return tuple(_values(look, spot.path))
    keys = tuple(_keys(look))
    return keys if keys or not spot.bare else tuple(_values(look, (*spot.path, 0)))


def _keys(look: Look) -> Iterator[Proposal]:
    spot = look.spot
    words = look.analysis.vocabulary.keys(spot.path, look.use_at)
    for word in words:
        if word.name not in spot.taken:
            yield _key(look, word)
    path = places.plain_path(spot.path)
    if len(path) == 1 and path[0] in places.NAMED and not words:
        for name in look.names(str(path[0])):
            if name not in spot.taken and name != spot.word:
                yield _proposal(look, name, "name", look.definition(str(path[0]), name) or "", after=":")


def _key(look: Look, word: Word) -> Proposal:
    spot = look.spot
    column = spot.role is Role.COLUMN
    after = "" if column else (":" if _is_block(look, word) else ": ")
    default = f", default {word.default}" if word.default is not None else ""
    return _proposal(
        look, word.name, "column" if column else "key", word.doc,
        detail=f"{word.type}{', needed' if word.needed else default}", after=after, needed=word.needed,
    )  # fmt: skip


def _is_block(look: Look, word: Word) -> bool:
    """Whether a key opens a block on the lines below, inside brackets never."""
    return word.type == "block" and (look.spot.bare or not look.spot.beside)


def _values(look: Look, path: Steps) -> Iterator[Proposal]:
    kind, section = places.kind_named_at(path), places.section_at(path)
    if section is not None:
        yield from _names(look, section, path)
    if kind is not None:
        yield from _providers(look, kind)
    if places.is_condition(path):
        yield from _figures(look)
    if places.is_file(path):
        yield from _files(look)
    inner = path[:-1] if path and isinstance(path[-1], int) else path
    word = look.analysis.vocabulary.word(inner, look.use_at)
    if word is not None and kind is None:
        yield from _choices(look, word)


def _choices(look: Look, word: Word) -> Iterator[Proposal]:
    for choice in word.choices:
        detail = "the default" if choice == word.default else ""
        yield _proposal(look, choice, "choice", word.doc, detail=detail)
    if not word.choices and word.default not in {None, "null", '""'}:
        yield _proposal(look, str(word.default), "value", word.doc, detail="the default")


def _names(look: Look, section: str, path: Steps) -> Iterator[Proposal]:
    plain = places.plain_path(path)
    own = str(plain[1]) if len(plain) > 1 else None
    names = look.names(section)
    if section == "phases" and own in names and "after" in path:
        names = names[: names.index(own)]
    for name in names:
        if name != own or section != plain[0]:
            doc = look.definition(section, name) or ""
            yield _proposal(look, name, "name", doc, detail=f"of {section}", code=True)
            for part in look.parts(name) if section == "data" and path[-1] == "data" else ():
                yield _proposal(look, f"{name}.{part}", "name", doc, detail=f"a part of {name}", code=True)


def _providers(look: Look, kind: Kind) -> Iterator[Proposal]:
    catalog = look.analysis.vocabulary.catalog
    for name in catalog.names(kind):
        offers = catalog.find(kind, name)
        for offer in offers:
            label = name if len(offers) == 1 else offer.full_name
            yield _proposal(
                look, label, "provider", offer.provider.summary, detail=f"{kind} of {offer.plugin.name}"
            )


def _figures(look: Look) -> Iterator[Proposal]:
    spot, text = look.spot, look.shape.text
    before, after = _NAME_BEFORE.search(spot.typed), _NAME_AFTER.match(text, spot.start + len(spot.typed))
    cursor = spot.start + len(spot.typed)
    start = cursor - (len(before[0]) if before else 0)
    end = after.end() if after else cursor
    quoted = spot.word.startswith('"') or not spot.word
    for name, detail in (*((n, "a figure of the training") for n in places.FIGURES),
                         *((n, "the newest score of a task") for n in look.names("tasks"))):  # fmt: skip
        insert = name if quoted and spot.word else f'"{name}'
        yield Proposal(label=name, kind="name", start=start, end=end, insert=insert, detail=detail)


def _files(look: Look) -> Iterator[Proposal]:
    folder = Path(look.analysis.path).parent
    own = Path(look.analysis.path).name
    try:
        found = sorted(path.name for path in folder.glob("*.sdn"))
    except OSError:
        return
    for name in found:
        if name != own:
            yield _proposal(look, name, "file", "")


def _references(look: Look, typed: str) -> Iterator[Proposal]:
    """Paths that ``${`` may lead to, one step at a time."""
    tree = look.analysis.loaded.origins.tree
    if tree is None:
        return
    before, dot, last = typed.rpartition(".")
    node = locate(tree, before) if dot else None
    if isinstance(node, Missing):
        return
    cursor = look.spot.start + len(look.spot.typed)
    for name in children(node.node if node else tree):
        yield Proposal(label=name, kind="name", start=cursor - len(last), end=cursor, insert=name)


def _proposal(
    look: Look,
    label: str,
    kind: str,
    doc: str,
    *,
    detail: str = "",
    after: str = "",
    needed: bool = False,
    code: bool = False,
) -> Proposal:
    """A proposal in place of the word at the cursor; quotes around it stay, and so does a colon behind it."""
    spot, text = look.spot, look.shape.text
    quote = spot.word.startswith('"')
    start = spot.start + quote
    end = spot.end - (quote and len(spot.word) > 1 and spot.word.endswith('"'))
    followed = after and _FOLLOWED.match(text, spot.end)
    if code and doc:
        doc = f"```sdn\n{doc}\n```"
    return Proposal(
        label=label, kind=kind, start=start, end=max(start, end), insert=label + ("" if followed else after),
        detail=detail, doc=doc, needed=needed,
    )  # fmt: skip
