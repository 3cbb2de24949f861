"""From files to the text of a recipe, or to all that stands in its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.importing import axolotl, llama_factory, medgemma, torchtune, trl, yaml_text
from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.detection import Told, tell
from pipeline_dsl.importing.draft import Draft
from pipeline_dsl.importing.hiding import hidden
from pipeline_dsl.importing.ledger import Account, Ledger, leaves
from pipeline_dsl.importing.names import name_of
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.writing import Provenance, write
from pipeline_dsl.syntax.nodes import Mapping
from pipeline_dsl.syntax.reading import read_source

TOOLS = (axolotl.TOOL, llama_factory.TOOL, torchtune.TOOL, trl.TOOL)
NAMES = (*(tool.name for tool in TOOLS), medgemma.NAME)
MOST_KEYS = 2000
MOST_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What came of an import: a recipe's text, or findings that stood in its way."""

    text: str | None = None
    findings: tuple[Diagnostic, ...] = ()
    origins: tuple[Provenance, ...] = ()
    said: tuple[str, ...] = ()
    """What was taken in that nobody named."""


def convert(files: Sequence[str], tool: str | None, places: Places) -> Conversion:
    """Read the configs and write the recipe.

    Args:
        files: one config, or the phases of a MedGemma example.
        tool: its name, where the keys need not say it.
        places: what relative paths count from, on both sides.
    """
    if tool == medgemma.NAME or (tool is None and all(file.endswith(".sdn") for file in files)):
        return _phases(files, places)
    if len(files) > 1:
        message = "several files make one recipe only where they are phases of a MedGemma example"
        found = Diagnostic(code=Code.NO_CONFIG.value, message=message, help="import one config at a time")
        return Conversion(findings=(found,))
    source, unread = read_source(files[0])
    if source is None:
        return Conversion(findings=unread)
    root, broken = yaml_text.parse(hidden(source))
    if root is None:
        return Conversion(findings=broken)
    too_many = _too_many(root)
    if too_many is not None:
        return Conversion(findings=(too_many,))
    return _single(files[0], root, tool, places)


def _too_many(root: Mapping) -> Diagnostic | None:
    keys = [path for path, _ in leaves(root, ())]
    if len(keys) <= MOST_KEYS and all(len(str(step)) <= MOST_KEYS for path in keys for step in path):
        return None
    message = f"this is no training config: it has {len(keys)} keys, or one that is longer than a page"
    return Diagnostic(code=Code.NO_CONFIG.value, message=message, span=root.span)


def _single(file: str, root: Mapping, forced: str | None, places: Places) -> Conversion:
    told = _told(root, forced)
    if isinstance(told, Diagnostic):
        return Conversion(findings=(told,))
    ledger = Ledger(root)
    draft = told.tool.make(Reader(root, ledger), places, name_of(file, "imported"))
    if ledger.findings:
        return Conversion(findings=tuple(ledger.findings))
    how = f"told by its keys {', '.join(told.by[:MOST_TOLD])}" if told.by else "as --from says"
    head = [f"Imported from {_shown(file)}, a config of {told.tool.title} ({how})."]
    return _written(draft, head, ledger.lookouts, [(file, ledger.account())])


def _told(root: Mapping, forced: str | None) -> Told | Diagnostic:
    if forced is None:
        return tell(root, TOOLS)
    return next(Told(tool=tool, by=()) for tool in TOOLS if tool.name == forced)


def _written(
    draft: Draft, head: list[str], lookouts: list[str], accounts: list[tuple[str, Account]]
) -> Conversion:
    origins = tuple(Provenance(file=_shown(file), account=account) for file, account in accounts)
    if any(origin.account.left for origin in origins):
        head.append("What could not be carried stands at the end, key by key, with the reason.")
    return Conversion(text=write(draft, head, lookouts, origins), origins=origins)


def _phases(files: Sequence[str], places: Places) -> Conversion:
    read = medgemma.read(files)
    if read.findings:
        return Conversion(findings=read.findings, said=read.said)
    draft, ledgers, lookouts = medgemma.make(read, places)
    findings = tuple(d for ledger in ledgers.values() for d in ledger.findings)
    if draft is None or findings:
        return Conversion(findings=findings, said=read.said)
    names = ", ".join(_shown(file) for file in ledgers)
    head = [f"Imported from {names}: phases of a MedGemma example (told by previous_loras and lora_path)."]
    accounts = [(file, ledger.account()) for file, ledger in ledgers.items()]
    done = _written(draft, head, lookouts, accounts)
    return Conversion(text=done.text, origins=done.origins, said=read.said)


def _shown(file: str) -> str:
    """The name of a file without its folders, on one line."""
    return "".join(c if c.isprintable() else "?" for c in Path(file).name)
