"""The pages behind the codes: Markdown files with a title, what is meant, and examples.

A page begins with ``# CODE: title`` and has the headings ``Wrong`` and ``Right``, each with a fenced ``sdn``
example. A ``files`` block, one JSON object from file name to content, stands for the files that the examples
need.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.resources import files

_FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"MR\d{3}")


@dataclass(frozen=True, slots=True)
class Page:
    """One code's page."""

    code: str
    title: str
    text: str
    """All of it, as Markdown."""

    def example(self, heading: str) -> str | None:
        """The ``sdn`` example under ``Wrong`` or ``Right``, or None."""
        section = self.text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        return next((body for kind, body in _FENCE.findall(section) if kind == "sdn"), None)

    def files(self) -> dict[str, str]:
        """The files that the examples need, by name."""
        return {
            name: text
            for kind, body in _FENCE.findall(self.text)
            if kind == "files"
            for name, text in json.loads(body).items()
        }


def read_page(code: str) -> Page | None:
    """Read the page of a code, or None where there is none."""
    if not _CODE.fullmatch(code):
        return None
    path = files("pipeline_dsl.cli").joinpath("pages", f"{code}.md")
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    title = text.partition("\n")[0].removeprefix(f"# {code}: ").strip()
    return Page(code, title, text)


def read_pages() -> tuple[Page, ...]:
    """Read all pages, in the order of their codes."""
    folder = files("pipeline_dsl.cli").joinpath("pages")
    codes = sorted(entry.name.removesuffix(".md") for entry in folder.iterdir() if entry.name.endswith(".md"))
    return tuple(page for code in codes if (page := read_page(code)) is not None)
