"""Rows: a table, a list of blocks, or a block of named blocks mean the same."""

from __future__ import annotations

from pipeline_dsl.diagnostics import Related
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.fields import Fields, fields_of
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.likes import LIKE
from pipeline_dsl.recipe.paths import rows
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.nodes import Entry, Key, Mapping, Node, Scalar, Style


def read_rows(
    holder: Fields, name: str, columns: tuple[str, ...], *, named: bool = True
) -> tuple[Fields, ...]:
    """Read the rows under a key. The first column names a row; ``named`` allows a block of blocks."""
    node = holder.node(name)
    if node is None:
        return ()
    where = holder.label(name)
    blocks: tuple[Node, ...]
    if isinstance(node, Mapping) and named:
        blocks = tuple(b for e in node if (b := _named(e, columns, where, holder.findings)))
    elif isinstance(node, Scalar | Mapping):
        holder.wrong(name, f"a table with the columns {', '.join(columns)}", node)
        return ()
    else:
        blocks = rows(node)
    found = []
    for block in blocks:
        if isinstance(block, Mapping):
            found.append(fields_of(block, where, holder.findings, (*columns, LIKE), blanks=True))
        else:
            message = f"a row of `{where}` must be a block with {', '.join(columns)}, not {kind_of(block)}"
            holder.findings.error(
                Code.WRONG_TYPE,
                message,
                block.span,
                help=f"begin the table with {name} |{', '.join(columns[:3])}|",
            )
    return tuple(found)


def check_once(names: list[Ref], code: Code, what: str, findings: Findings) -> None:
    """Report every name that stands twice, with both places."""
    first: dict[str, Ref] = {}
    for ref in names:
        before = first.setdefault(ref.name, ref)
        if before is not ref:
            findings.error(
                code,
                f"{what} `{ref.name}` stands twice",
                ref.span,
                help="give one of the two another name",
                related=(Related(message="first here", span=before.span),),
            )


def _named(entry: Entry, columns: tuple[str, ...], where: str, findings: Findings) -> Mapping | None:
    """A named block as a row."""
    block, column = entry.value, columns[0]
    if not isinstance(block, Mapping):
        message = f"`{where}.{entry.key.name}` must be a block, not {kind_of(block)}"
        keys = ", ".join(f"{name}: ..." for name in columns[1:3])
        help_line = f"write {entry.key.name}: {{{keys}}}"
        findings.error(Code.WRONG_TYPE, message, entry.key.span, help=help_line)
        return None
    again = block.entry(column)
    if again:
        findings.error(
            Code.DUPLICATE_NAME,
            f"`{where}.{entry.key.name}` already has its name; `{column}` names it again",
            again.key.span,
            help=f"leave `{column}` out",
            related=(Related(message="its name", span=entry.key.span),),
        )
    name = Entry(Key(column, entry.key.span), Scalar(entry.key.name, Style.BARE, entry.key.span))
    rest = tuple(e for e in block if e is not again)
    return Mapping((name, *rest), block.span)
