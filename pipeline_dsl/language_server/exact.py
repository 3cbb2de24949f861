"""Requests that wait for an analysis of the very text: definitions, references, renaming, fixes, hints."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from pipeline_dsl.diagnostics import Edit
from pipeline_dsl.language_server.files import Asked
from pipeline_dsl.language_server.findings import diagnostic
from pipeline_dsl.language_server.fixes import Offered, fixes_at, safe_edits
from pipeline_dsl.language_server.hints import hints
from pipeline_dsl.language_server.mentions import FILE, Mention
from pipeline_dsl.language_server.navigation import Names, RefusedError, renamed, target

if TYPE_CHECKING:
    from pipeline_dsl.language_server.server import RecipeServer

_ACTIONS = lsp.CodeActionOptions(
    code_action_kinds=[lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.SourceFixAll]
)


def register(server: RecipeServer) -> None:
    """Add the handlers."""
    _register_names(server)
    _register_renaming(server)
    _register_findings(server)


def _register_names(server: RecipeServer) -> None:
    files = server.session.files

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    async def definition(params: lsp.DefinitionParams) -> list[lsp.Location]:
        names, mention = await _mention(server, params)
        if mention is None:
            return []
        if mention.section == FILE:
            path = target(mention)
            start = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
            return [lsp.Location(files.uri(path), start)] if path else []
        return [files.location(m.span) for m in names.given(mention)]

    @server.feature(lsp.TEXT_DOCUMENT_REFERENCES)
    async def references(params: lsp.ReferenceParams) -> list[lsp.Location]:
        names, mention = await _mention(server, params)
        if mention is None:
            return []
        with_gives = params.context.include_declaration
        return [files.location(m.span) for m in names.same(mention) if with_gives or not m.gives]


def _register_renaming(server: RecipeServer) -> None:
    files = server.session.files

    @server.feature(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
    async def prepare(params: lsp.PrepareRenameParams) -> lsp.PrepareRenamePlaceholder | None:
        names, mention = await _mention(server, params)
        if mention is None or mention.section == FILE or not names.given(mention):
            return None
        return lsp.PrepareRenamePlaceholder(files.location(mention.span).range, mention.name)

    @server.feature(lsp.TEXT_DOCUMENT_RENAME, lsp.RenameOptions(prepare_provider=True))
    async def rename(params: lsp.RenameParams) -> lsp.WorkspaceEdit:
        names, mention = await _mention(server, params)
        if mention is None:
            raise _refused("there is no name here")
        try:
            spans = renamed(names, mention, params.new_name)
        except RefusedError as error:
            raise _refused(str(error)) from error
        return _workspace_edit(server, [Edit(span=span, text=params.new_name) for span in spans])


def _register_findings(server: RecipeServer) -> None:
    session = server.session

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, _ACTIONS)
    async def actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        document = session.documents.get(params.text_document.uri)
        analysis = await session.analysed(document) if document else None
        if document is None or analysis is None:
            return []
        places = session.files.positions(document.text)
        start, end = places.offset(params.range.start), places.offset(params.range.end)
        only = params.context.only
        found: list[lsp.CodeAction] = []
        if _asked(lsp.CodeActionKind.QuickFix, only):
            offered = fixes_at(analysis.diagnostics, document.real, start, end)
            found += [_quick_fix(server, one) for one in offered]
        edits = safe_edits(analysis.diagnostics, document.real)
        if edits and _asked(lsp.CodeActionKind.SourceFixAll, only):
            title, kind = "Fix all that is certain", lsp.CodeActionKind.SourceFixAll
            found.append(lsp.CodeAction(title=title, kind=kind, edit=_workspace_edit(server, edits)))
        return found

    @server.feature(lsp.TEXT_DOCUMENT_INLAY_HINT)
    async def inlay(params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
        document = session.documents.get(params.text_document.uri)
        analysis = await session.analysed(document) if document else None
        if document is None or analysis is None:
            return []
        places = session.files.positions(document.text)
        start, end = places.offset(params.range.start), places.offset(params.range.end)
        return [
            lsp.InlayHint(places.position(h.offset), h.label, tooltip=h.tooltip, padding_left=True)
            for h in hints(document.shape, analysis)
            if start <= h.offset <= end
        ]


async def _mention(server: RecipeServer, params: Asked) -> tuple[Names, Mention | None]:
    """The name at a position, and all names of the recipes to which the file belongs."""
    session = server.session
    document = session.documents.get(params.text_document.uri)
    if document is None:
        return Names(()), None
    names = await session.names(document)
    offset = session.files.positions(document.text).offset(params.position)
    return names, names.at(document.real, offset)


def _asked(kind: lsp.CodeActionKind, only: Sequence[lsp.CodeActionKind | str] | None) -> bool:
    """Whether an editor wants actions of a kind: of all kinds where it names none."""
    wanted = [str(getattr(one, "value", one)) for one in only or ()]
    return not wanted or any(kind.value == one or kind.value.startswith(f"{one}.") for one in wanted)


def _quick_fix(server: RecipeServer, one: Offered) -> lsp.CodeAction:
    return lsp.CodeAction(
        title=one.fix.message,
        kind=lsp.CodeActionKind.QuickFix,
        diagnostics=[diagnostic(one.finding, server.session.files)],
        is_preferred=one.preferred or None,
        edit=_workspace_edit(server, one.fix.edits),
    )


def _workspace_edit(server: RecipeServer, edits: Sequence[Edit]) -> lsp.WorkspaceEdit:
    """Edits by file."""
    files = server.session.files
    by_path: dict[str, list[lsp.TextEdit]] = {}
    for edit in edits:
        location = files.location(edit.span)
        by_path.setdefault(os.path.realpath(edit.span.source.name), []).append(
            lsp.TextEdit(location.range, edit.text)
        )
    return lsp.WorkspaceEdit(changes={files.uri(path): found for path, found in by_path.items()})


def _refused(message: str) -> JsonRpcException:
    """An answer that an editor shows to its user."""
    return JsonRpcException(message=message, code=lsp.LSPErrorCodes.RequestFailed.value)
