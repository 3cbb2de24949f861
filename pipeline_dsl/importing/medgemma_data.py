"""The data of a phase file: a folder of rows of one kind, or several by name."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.draft import Block, Line, Said
from pipeline_dsl.importing.names import name_of
from pipeline_dsl.importing.places import Places, kind_of_file
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.syntax.nodes import Value

_FORMS: dict[str, tuple[Value, str]] = {
    "plain_text": ("plain_text", "perplexity"),
    "korean_text": ("plain_text", "perplexity"),
    "medical_dict": ("dictionary", "exact_match"),
    "dictionary": ("dictionary", "exact_match"),
    "translation": ({"use": "translate", "direction": "both"}, "chrf"),
    "mcq": ("mcq", "mcq_accuracy"),
    "exam": ("mcq", "mcq_accuracy"),
}
"""Template and metric of each kind of rows."""
_HELD_OUT = ("held_out", "validation", "valid", "dev", "test")
_TAUGHT_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Rows of one kind: what is taught of them, and the task that asks for it."""

    name: str
    data: str
    blocks: dict[str, Block]
    template: Value
    line: Line
    remark: str = ""

    @property
    def task(self) -> str:
        """The name of the task."""
        return str(self.line.cells[0])


def subjects_of(reader: Reader, places: Places) -> tuple[Subject, ...]:
    """Read ``data``: a block with ``type`` and ``path``, or a block of such blocks by name."""
    block = reader.inner("data")
    if block is None:
        reader.ledger.error(
            Code.MISSING, "the file names no data", reader.span, help="add `data`, with type and path"
        )
        return ()
    if block.has("path") or block.has("type"):
        found = [_subject(block, block.text("type") or "", places)]
    else:
        named = [(key, block.inner(key)) for key in block.names() if block.is_block(key)]
        found = [_subject(inner, key, places) for key, inner in named if inner is not None]
        if len(found) > 1:
            reader.ledger.look_at("weights: the file does not say how its sources are mixed; all count alike")
    if not found and not reader.ledger.findings:
        reader.ledger.error(Code.MISSING, "the file names no data", block.span, help="add a type and a path")
    return tuple(one for one in found if one is not None)


def _subject(block: Reader, kind: str, places: Places) -> Subject | None:
    path = block.text("path")
    if path is None or kind not in _FORMS:
        known = ", ".join(_FORMS)
        words = (
            "data without a `path`" if path is None else f"rows of the kind `{kind[:40]}` cannot be carried"
        )
        block.ledger.error(Code.DATA_FORM, words, block.span, help=f"the kinds known are {known}")
        return None
    form = block.text("format") or "jsonl"
    if form not in ("jsonl", "csv", "parquet"):
        block.refuse(
            Code.DATA_FORM, f"no source reads `format: {form[:20]}`", "format", "jsonl, csv or parquet"
        )
        return None
    template, metric = _FORMS[kind]
    name = name_of(kind, "rows")
    file, held = _files(block, path, form, places)
    blocks: dict[str, Block] = {name: _source(file, form, places)}
    if held:
        blocks[f"{name}_held_out"] = _source(held, form, places)
        line = Line(cells=(name, f"{name}_held_out", template, metric, None))
    else:
        remark = "the config names no held-out rows: this asks for what was taught"
        line = Line(cells=(name, name, template, metric, _TAUGHT_ROWS), remark=remark)
    return Subject(name=name, data=name, blocks=blocks, template=template, line=line)


def _source(file: str, form: str, places: Places) -> Block:
    return {"use": Said(value=form), "path": Said(value=places.written(file))}


def _files(block: Reader, path: str, form: str, places: Places) -> tuple[str, str | None]:
    """The file that is taught and the one held out: ``path`` is a file, or a folder of parts."""
    train, held = block.text("train_split") or "train", block.text("validation_split")
    if kind_of_file(path):
        return path, None
    folder = path.rstrip("/")
    parts = [held] if held else list(_HELD_OUT)
    there = next(
        (f"{folder}/{part}.{form}" for part in parts if places.is_file(f"{folder}/{part}.{form}")), None
    )
    file = f"{folder}/{train}.{form}"
    if not places.is_file(file):
        block.ledger.look_at(f"{path} is a folder; its rows are taken to be in {train}.{form}")
    return file, there
