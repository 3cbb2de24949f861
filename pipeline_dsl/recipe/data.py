"""``data``: blocks of a source's options and, beside them, the words of the language for its rows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping as Map
from dataclasses import replace

from pipeline_dsl.api.providers import DATA_WORDS
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.conditions import Condition, parse_filter
from pipeline_dsl.recipe.fields import Fields, as_ref, fields_of
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.merging import without
from pipeline_dsl.recipe.model import PARTS, SHUFFLE_BUFFER, DataBlock, Declared, View
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.respelling import flag, respelt
from pipeline_dsl.recipe.suggest import renamed, suggestion
from pipeline_dsl.recipe.uses import declared
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.nodes import Mapping, Node, Scalar
from pipeline_dsl.syntax.repairs import write

PII = ("allow", "deny")
_SHARE = re.compile(r"[0-9]+(\.[0-9]+)?")
_SPLIT_HELP = (
    "write two shares (train, validation) or three (train, validation, test): 0.9/0.1 or 0.8/0.1/0.1"
)
_CLOSE = 1e-9
"""How far the sum of shares may be from 1."""


def read_data(top: Fields) -> tuple[DataBlock, ...]:
    """Read the ``data`` blocks; words that are wrong are reported and read as their defaults."""
    found = (_block(block, top.findings) for block in declared(top, "data"))
    return tuple(block for block in found if block is not None)


def block_and_part(name: str) -> tuple[str, str | None]:
    """Take ``exam.train`` apart; the part of ``exam`` is None. No data block has a dot in its name."""
    block, dot, part = name.partition(".")
    return block, part if dot else None


def check_data_reference(
    ref: Ref, declared_names: tuple[str, ...], views: Map[str, View], findings: Findings
) -> bool:
    """Report a part that is not there, or is not named; return False where no block is meant at all."""
    block, part = block_and_part(ref.name)
    if ref.name in declared_names and part is not None:
        return True  # a name with a dot, which is reported as such
    if block not in declared_names:
        return False
    view = views.get(block)
    if view is not None and (part is not None or view.split):
        _check_part(ref, block, part, view, findings)
    return True


def names_to_use(declared_names: tuple[str, ...], views: Map[str, View]) -> tuple[str, ...]:
    """Return the names by which data can be referred to: blocks without a split, parts of the others."""
    return tuple(
        name
        for block in declared_names
        for name in (
            [f"{block}.{part}" for part in views[block].parts]
            if block in views and views[block].split
            else [block]
        )
    )


def _block(block: Declared, findings: Findings) -> DataBlock | None:
    name, options = block.name, block.use.options
    if "." in name.name:
        findings.error(
            Code.INVALID_NAME,
            f"a data source cannot be called `{name.name}`: it holds a dot",
            name.span,
            reason=f"`{name.name}` would be a part of the data `{name.name.partition('.')[0]}`",
            help=f"call it `{name.name.replace('.', '_')}`",
        )
        return None
    said = tuple(e for e in options if e.key.name in DATA_WORDS and not _is_null(e.value))
    where = f"data.{name.name}"
    fields = fields_of(Mapping(said, options.span), where, findings, None)
    use = replace(block.use, options=without(options, *DATA_WORDS), words=DATA_WORDS)
    view = _view(fields)
    parts_known = bool(view.split) or fields.node("split") is None
    return DataBlock(name=name, use=use, view=view, parts_known=parts_known)


def _view(fields: Fields) -> View:
    streaming = _flag(fields, "streaming")
    buffer = fields.whole("shuffle_buffer", least=1)
    split, groups = _split(fields), fields.refs("group_by")
    if not streaming:
        _useless(fields, "shuffle_buffer", "streaming", "streaming: true")
    if fields.node("split") is None:
        _useless(fields, "group_by", "split", "split: 0.9/0.1")
    return View(
        columns=_columns(fields),
        filter=_filter(fields),
        limit=fields.whole("limit", least=1),
        split=split,
        group_by=groups if split else (),
        streaming=streaming,
        shuffle_buffer=buffer if buffer and streaming else SHUFFLE_BUFFER,
        pii=fields.choice("pii", PII) or PII[0],
    )


def _columns(fields: Fields) -> Map[str, str]:
    block = fields.block("columns", "a block of `name: column`")
    found = {}
    for entry in block or ():
        column = as_ref(entry.value)
        if column is not None:
            found[entry.key.name] = column.name
            continue
        fields.findings.error(
            Code.WRONG_TYPE,
            f"`{fields.label('columns')}.{entry.key.name}` must be the name of a column, "
            f"not {kind_of(entry.value)}",
            entry.value.span if entry.value.span.text else entry.key.span,
        )
    return found


def _filter(fields: Fields) -> Condition | None:
    node = fields.node("filter")
    if node is None:
        return None
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        fields.wrong(
            "filter", "a condition in quotes", node, "write for example filter: \"subject == 'heart'\""
        )
        return None
    condition, found = parse_filter(node.value, node.span)
    fields.findings.extend(found)
    return condition


def _flag(fields: Fields, name: str) -> bool:
    node = fields.node(name)
    if node is None:
        return False
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    fields.wrong(name, "true or false", node, fixes=respelt(node, flag))
    return False


def _split(fields: Fields) -> tuple[float, ...]:
    """Shares of ``0.8/0.1/0.1``; () where there are none or they make no sense."""
    node = fields.node("split")
    if node is None:
        return ()
    if not isinstance(node, Scalar) or isinstance(node.value, bool):
        fields.wrong("split", "shares such as 0.9/0.1", node, _SPLIT_HELP)
        return ()
    written = [share.strip() for share in str(node.value).split("/")]
    why = _split_fault(written)
    if why is None:
        return tuple(float(share) for share in written)
    message = f"`{fields.label('split')}` cannot be `{node.value}`: {why}"
    fields.findings.error(Code.SPLIT, message, node.span, help=_SPLIT_HELP)
    return ()


def _split_fault(shares: list[str]) -> str | None:
    if not all(_SHARE.fullmatch(share) for share in shares):
        return "shares are numbers with `/` between them"
    if not 1 < len(shares) <= len(PARTS):
        return f"it has {len(shares)} part{'s' if len(shares) > 1 else ''}"
    if any(float(share) <= 0 for share in shares):
        return "a share must be above 0"
    total = math.fsum(float(share) for share in shares)
    return None if abs(total - 1) <= _CLOSE else f"the sum of the shares is {total:.6g}, not 1"


def _useless(fields: Fields, word: str, other: str, example: str) -> None:
    entry = fields.entries.get(word)
    if entry is not None:
        fields.findings.error(
            Code.USELESS_WORD,
            f"`{fields.label(word)}` does nothing without `{other}`",
            entry.key.span,
            help=f"add `{example}`, or leave `{word}` out",
        )


def _check_part(ref: Ref, block: str, part: str | None, view: View, findings: Findings) -> None:
    names = [f"{block}.{known}" for known in view.parts]
    listing = ", ".join(f"`{name}`" for name in names)
    if not names:
        findings.error(
            Code.UNKNOWN_PART,
            f"`{block}` is not split: it has no part `{part}`",
            ref.span,
            help=f"write `{block}`, or give `data.{block}` a split: 0.9/0.1",
        )
    elif part is None:
        findings.error(
            Code.PART_NEEDED,
            f"`{block}` is split: say which part is meant",
            ref.span,
            help=f"its parts: {listing}",
            fixes=tuple(write(ref.span, name) for name in names if ref.span.text == block),
        )
    elif part not in view.parts:
        findings.error(
            Code.UNKNOWN_PART,
            f"`{block}` has no part `{part}`",
            ref.span,
            help=suggestion(ref.name, names, what="its parts"),
            fixes=renamed(ref.span, ref.name, names),
        )


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None
