"""Requests that are answered at once, from the text as it is and the newest analysis there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from pipeline_dsl.diagnostics import Source
from pipeline_dsl.language_server.completion import Proposal, proposals
from pipeline_dsl.language_server.files import Asked
from pipeline_dsl.language_server.hover import told
from pipeline_dsl.language_server.looks import Look
from pipeline_dsl.language_server.positions import Positions
from pipeline_dsl.language_server.spots import spot
from pipeline_dsl.language_server.symbols import Symbol, folds, symbols
from pipeline_dsl.syntax.formatting import formatted
from pipeline_dsl.syntax.parser import parse

if TYPE_CHECKING:
    from pipeline_dsl.language_server.server import RecipeServer

Json = dict[str, Any]

_TRIGGERS = [":", " ", ",", "|", "{", "[", ".", '"']
_KINDS = {
    "key": lsp.CompletionItemKind.Property,
    "column": lsp.CompletionItemKind.Field,
    "provider": lsp.CompletionItemKind.Class,
    "choice": lsp.CompletionItemKind.EnumMember,
    "name": lsp.CompletionItemKind.Variable,
    "file": lsp.CompletionItemKind.File,
    "value": lsp.CompletionItemKind.Value,
}
_SYMBOLS = {
    "section": lsp.SymbolKind.Namespace,
    "named": lsp.SymbolKind.Class,
    "row": lsp.SymbolKind.EnumMember,
    "key": lsp.SymbolKind.Property,
}


def register(server: RecipeServer) -> None:
    """Add the handlers."""
    session = server.session

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    async def hover(params: lsp.HoverParams) -> lsp.Hover | None:
        look = await _look(server, params)
        found = told(look) if look else None
        if look is None or found is None:
            return None
        content = lsp.MarkupContent(lsp.MarkupKind.Markdown, found.markdown)
        return lsp.Hover(content, session.files.positions(look.shape.text).range(found.start, found.end))

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=_TRIGGERS))
    async def complete(params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        look = await _look(server, params)
        if look is None:
            return []
        places = session.files.positions(look.shape.text)
        return [_item(one, places) for one in proposals(look)]

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outline(params: lsp.DocumentSymbolParams) -> list[Json]:
        document = session.documents.get(params.text_document.uri)
        if document is None:
            return []
        places = session.files.positions(document.text)
        return [_symbol(one, places) for one in symbols(document.shape)]

    @server.feature(lsp.TEXT_DOCUMENT_FOLDING_RANGE)
    def folding(params: lsp.FoldingRangeParams) -> list[lsp.FoldingRange]:
        document = session.documents.get(params.text_document.uri)
        return [lsp.FoldingRange(a, b) for a, b in folds(document.shape)] if document else []

    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def layout(params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        document = session.documents.get(params.text_document.uri)
        return _formatted(document.path, document.text, session.files.positions) if document else None


async def _look(server: RecipeServer, params: Asked) -> Look | None:
    """What a request looks at; the first one of a document waits for its first analysis."""
    session = server.session
    document = session.documents.get(params.text_document.uri)
    if document is None:
        return None
    analysis = session.newest(document) or await session.analysed(document)
    document = session.documents.get(params.text_document.uri)
    if analysis is None or document is None:
        return None
    offset = session.files.positions(document.text).offset(params.position)
    fresh = session.current(document) is analysis
    return Look(document.shape, spot(document.shape, offset), analysis, fresh)


def _item(one: Proposal, places: Positions) -> lsp.CompletionItem:
    edit = lsp.TextEdit(places.range(one.start, one.end), one.insert)
    return lsp.CompletionItem(
        label=one.label,
        kind=_KINDS[one.kind],
        detail=one.detail or None,
        documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, one.doc) if one.doc else None,
        sort_text=f"{'0' if one.needed else '1'}{one.label}",
        filter_text=one.label,
        insert_text_format=lsp.InsertTextFormat.PlainText,
        text_edit=edit,
    )


def _symbol(one: Symbol, places: Positions) -> Json:
    """A DocumentSymbol as JSON: a long recipe has hundreds, and lsprotocol takes 0.1 ms for each."""
    key = _range(*one.key, places)
    end = places.place(one.end)
    first = key["start"] if one.start == one.key[0] else _place(*places.place(one.start))
    found: Json = {
        "name": one.name,
        "kind": _SYMBOLS[one.kind].value,
        "range": {"start": first, "end": _place(*end)},
        "selectionRange": key,
    }
    if one.detail:
        found["detail"] = one.detail
    if one.inner:
        found["children"] = [_symbol(inner, places) for inner in one.inner]
    return found


def _range(start: int, end: int, places: Positions) -> Json:
    return {"start": _place(*places.place(start)), "end": _place(*places.place(end))}


def _place(line: int, character: int) -> Json:
    return {"line": line, "character": character}


def _formatted(path: str, text: str, positions: Callable[[str], Positions]) -> list[lsp.TextEdit] | None:
    """One edit of the lines that change; nothing for a text that cannot be read whole."""
    parsed = parse(Source.of(path, text))
    if not parsed.ok:
        return None
    new = formatted(parsed)
    if new == text:
        return []
    return [lsp.TextEdit(positions(text).whole(), new)]
