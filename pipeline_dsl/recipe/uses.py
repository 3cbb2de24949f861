"""``use: NAME`` and the options beside it, in all the forms in which it may be written."""

from __future__ import annotations

from pipeline_dsl.diagnostics import Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.fields import Fields, as_ref, fields_of, head_of
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.likes import LIKE
from pipeline_dsl.recipe.merging import without
from pipeline_dsl.recipe.model import Declared, Use
from pipeline_dsl.recipe.names import check_name
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.suggest import nearest, renamed
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.nodes import Mapping, Node, Sequence

USE = "use"
CUSTOM_TEMPLATE = "custom"
_OWN_TEMPLATE = ("prompt", "completion")


def use_block(block: Mapping, where: str, default: str | None, findings: Findings, head: Span) -> Use | None:
    """Read a block whose provider is named by ``use``, or is ``default`` where nothing names one."""
    fields = fields_of(block, where, findings, None)
    if fields.node(USE) is None:
        if default is None:
            near = nearest(USE, block.names())
            meant = f"did you mean `{USE}` where `{near}` stands?" if near else f"write `{USE}: NAME`"
            slip = fields.entries[near].key.span if near else None
            fields.missing(USE, meant, slip or head, renamed(slip, near or "", [USE]))
            return None
        return Use(name=default, options=block, span=head)
    ref = fields.ref(USE, "the name of a provider")
    if ref is None:
        return None
    return Use(name=ref.name, options=without(block, USE), span=ref.span)


def use_value(fields: Fields, name: str) -> Use | None:
    """Read a bare name, or a block with ``use``, under a key."""
    node = fields.node(name)
    return use_node(node, fields.label(name), fields.findings) if node is not None else None


def use_node(node: Node, where: str, findings: Findings) -> Use | None:
    """Read a bare name, or a block with ``use``."""
    if isinstance(node, Mapping):
        return use_block(node, where, None, findings, head_of(node))
    ref = as_ref(node)
    if ref is not None:
        return Use(name=ref.name, options=Mapping((), node.span), span=ref.span)
    findings.error(
        Code.WRONG_TYPE,
        f"`{where}` must be a name or a block with `use`, not {kind_of(node)}",
        node.span,
        help=f"write {{use: NAME, option: ...}} where `{where.rpartition('.')[2]}` needs options",
    )
    return None


def use_list(fields: Fields, name: str) -> tuple[Use, ...]:
    """Read a list of names and blocks with ``use``."""
    node = fields.node(name)
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        fields.wrong(name, "a list of names or of blocks with `use`", node)
        return ()
    found = (use_node(item, fields.label(name), fields.findings) for item in node.items)
    return tuple(use for use in found if use is not None)


def declared(fields: Fields, name: str) -> tuple[Declared, ...]:
    """Read a block of named blocks: ``adapters``, ``data`` or ``templates``."""
    section = fields.block(name, "a block of named blocks")
    found, seen = [], set[Span]()
    for entry in section or ():
        ref = Ref(entry.key.name, entry.key.span)
        where = f"{fields.label(name)}.{entry.key.name}"
        fine = check_name(ref, f"`{where}`", fields.findings)
        if not isinstance(entry.value, Mapping):
            message = f"`{where}` must be a block, not {kind_of(entry.value)}"
            fields.findings.error(Code.WRONG_TYPE, message, ref.span)
        elif fine and entry.value.get(LIKE) is None:
            head = head_of(entry.value)
            if head in seen and entry.value.get(USE) is None:
                continue  # a copy, by ``like``, of a block that is reported already
            seen.add(head)
            default = CUSTOM_TEMPLATE if name == "templates" and _is_own(entry.value) else None
            use = use_block(entry.value, where, default, fields.findings, ref.span)
            if use is not None:
                found.append(Declared(name=ref, use=use))
    return tuple(found)


def _is_own(block: Mapping) -> bool:
    return any(block.get(name) is not None for name in _OWN_TEMPLATE)
