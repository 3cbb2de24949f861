"""Files as the editor calls them, and places in them in the units agreed on."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lsprotocol.types import Location, Position, TextDocumentIdentifier
from pygls.uris import from_fs_path, to_fs_path

from pipeline_dsl.diagnostics import Span
from pipeline_dsl.language_server.positions import Positions

_KEPT = 16
"""Texts whose lines stay indexed."""


class Asked(Protocol):
    """What all requests about a place have."""

    text_document: TextDocumentIdentifier
    position: Position


@dataclass(slots=True)
class Files:
    """Names and positions. Used by the event loop alone."""

    encoding: str = "utf-16"
    uris: dict[str, str] = field(default_factory=dict)
    """How the editor calls the files that it has open, by real path."""
    _indexed: OrderedDict[str, Positions] = field(default_factory=OrderedDict)

    def positions(self, text: str) -> Positions:
        """The positions of a text."""
        found = self._indexed.pop(text, None) or Positions.of(text, self.encoding)
        self._indexed[text] = found
        if len(self._indexed) > _KEPT:
            self._indexed.popitem(last=False)
        return found

    def uri(self, path: str) -> str:
        """What the editor calls a file."""
        real = os.path.realpath(path)
        return self.uris.get(real) or from_fs_path(os.path.abspath(path)) or path  # noqa: PTH100 - links stay

    def location(self, span: Span) -> Location:
        """Where a span is."""
        return Location(self.uri(span.source.name), self.positions(span.source.text).span(span))


def path_of(uri: str) -> str:
    """The path of a URI; one that is not of a file becomes a name in the working directory."""
    path = to_fs_path(uri)
    if path:
        return path
    name = uri.rpartition("/")[2].rpartition(":")[2] or "untitled"
    return str(Path.cwd() / f"{name}.sdn")
