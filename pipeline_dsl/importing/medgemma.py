"""The phase files of the MedGemma Korean example: each merges what went before and trains one LoRA more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.draft import Draft
from pipeline_dsl.importing.ledger import Ledger
from pipeline_dsl.importing.medgemma_phases import Phase, drafted, phase_of
from pipeline_dsl.importing.places import Places
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.recipe.extends import read_chain
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.merging import merge
from pipeline_dsl.syntax.nodes import Mapping, Scalar
from pipeline_dsl.syntax.nodes import Sequence as Items

NAME = "medgemma-sdn"
_MOST_BESIDE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFile:
    """One phase file with what it extends laid under it."""

    file: str
    root: Mapping
    made: str | None
    """``output.lora_path``, as it is compared."""
    parents: tuple[str, ...]
    """``previous_loras``, as they are compared, the lowest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """All phase files, each behind those that it stands on."""

    files: tuple[PhaseFile, ...] = ()
    findings: tuple[Diagnostic, ...] = ()
    said: tuple[str, ...] = ()


def read(files: Sequence[str]) -> Read:
    """Read the files, and those beside them that make what they stand on; then put them in order."""
    findings, said = list[Diagnostic](), list[str]()
    found = [one for file in files if (one := _file(file, findings)) is not None]
    findings += [d for one in found for d in _faults(one)]
    if findings:
        return Read(findings=tuple(findings))
    found += _beside(found, said)
    findings += _unmade(found)
    ordered = _ordered(found, findings)
    return Read(files=tuple(ordered), findings=tuple(findings), said=tuple(said))


def make(given: Read, places: Places) -> tuple[Draft | None, dict[str, Ledger], list[str]]:
    """Make one draft of all phases; also the account of each file, and what to look at."""
    ledgers = {one.file: Ledger(one.root) for one in given.files}
    phases = list[Phase]()
    for one in given.files:
        reader = Reader(one.root, ledgers[one.file])
        phases.append(phase_of(reader, one.made or "", one.parents, [p.name for p in phases], places))
    if any(ledger.findings for ledger in ledgers.values()):
        return None, ledgers, []
    draft = drafted(phases, next(iter(ledgers.values())))
    lookouts = [sentence for ledger in ledgers.values() for sentence in ledger.lookouts]
    return draft, ledgers, list(dict.fromkeys(lookouts))


def _file(file: str, findings: list[Diagnostic]) -> PhaseFile | None:
    """Read one file with the chain of its ``extends``; errors of the notation are told with their codes."""
    collected = Findings()
    chain = read_chain(file, collected)
    findings += collected.all()
    trees = [layer.node for layer in chain.layers if isinstance(layer.node, Mapping)] if chain else []
    if not trees:
        return None
    root, *others = trees
    for over in others:
        root = merge(root, over)
    output = root.get("output")
    made = output.get("lora_path") if isinstance(output, Mapping) else None
    parents = root.get("previous_loras")
    items = parents.items if isinstance(parents, Items) else [parents] if isinstance(parents, Scalar) else []
    return PhaseFile(
        file=file,
        root=root,
        made=_path(made.value) if isinstance(made, Scalar) and made.value is not None else None,
        parents=tuple(_path(i.value) for i in items if isinstance(i, Scalar) and i.value is not None),
    )


def _path(value: object) -> str:
    return PurePosixPath(str(value).replace("\\", "/")).as_posix()


def _faults(one: PhaseFile) -> list[Diagnostic]:
    """What keeps a file from being a phase."""
    if "phases" in one.root.names() or "recipe" in one.root.names():
        message, help_ = "this is a recipe already", "check it with `medrecipe check`"
    elif one.made is None:
        message = "the file makes no LoRA (`output.lora_path`), so it is no phase"
        help_ = "name the phase files; what they extend is read with them"
    else:
        return []
    entry = one.root.entries[0] if one.root.entries else None
    return [
        Diagnostic(
            code=Code.NO_CONFIG.value,
            message=message,
            span=entry.key.span if entry else one.root.span,
            help=help_,
        )
    ]


def _beside(found: list[PhaseFile], said: list[str]) -> list[PhaseFile]:
    """Files in the same folders that make what is missing, and what those stand on in their turn."""
    given = {Path(one.file).resolve() for one in found}
    folders = dict.fromkeys(Path(one.file).parent for one in found)
    others = [
        other
        for folder in folders
        for path in sorted(folder.glob("*.sdn"))[:_MOST_BESIDE]
        if path.resolve() not in given and (other := _file(str(path), [])) is not None and other.made
    ]
    more = list[PhaseFile]()
    while True:
        made = {one.made for one in [*found, *more]}
        needed = {parent for one in [*found, *more] for parent in one.parents} - made
        taken = [next((o for o in others if o.made == parent), None) for parent in sorted(needed)]
        new = [one for one in taken if one is not None]
        if not new:
            return more
        more += new
        said += [f"{Path(one.file).name} is taken in as well: it makes {one.made}" for one in new]


def _unmade(found: list[PhaseFile]) -> list[Diagnostic]:
    """An earlier LoRA that no file makes, and two files that make the same."""
    makers: dict[str, PhaseFile] = {}
    findings = []
    for one in found:
        first = makers.setdefault(one.made or "", one)
        if first is not one:
            message = f"`{Path(one.file).name}` and `{Path(first.file).name}` make the same LoRA, {one.made}"
            span = _span(one, "output")
            findings.append(
                Diagnostic(code=Code.PARENT.value, message=message, span=span, help="give one of them")
            )
    missing = [(one, parent) for one in found for parent in one.parents if parent not in makers]
    return findings + [_no_maker(one, parent) for one, parent in missing]


def _no_maker(one: PhaseFile, parent: str) -> Diagnostic:
    name = Path(one.file).name
    return Diagnostic(
        code=Code.PARENT.value,
        message=f"no given file makes `{parent}`, which `{name}` stands on",
        span=_span(one, "previous_loras"),
        help=f"give the file whose `output.lora_path` it is as well: medrecipe import EARLIER.sdn {name}",
    )


def _span(one: PhaseFile, key: str) -> Span:
    entry = one.root.entry(key)
    return entry.key.span if entry else one.root.span


def _ordered(found: list[PhaseFile], findings: list[Diagnostic]) -> list[PhaseFile]:
    """Each file behind the ones that it stands on; else in the order in which they were given."""
    ordered, left = list[PhaseFile](), list(found)
    while left:
        made = {one.made for one in ordered}
        ready = next((one for one in left if set(one.parents) <= made), None)
        if ready is None:
            if not findings:
                names = ", ".join(Path(one.file).name for one in left)
                message = f"these phases stand on each other in a circle: {names}"
                findings.append(
                    Diagnostic(code=Code.PARENT.value, message=message, span=_span(left[0], "previous_loras"))
                )
            return ordered
        ordered.append(ready)
        left.remove(ready)
    return ordered
