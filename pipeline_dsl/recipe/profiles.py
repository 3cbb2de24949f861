"""``profiles``: overlays of a recipe, one of which may be chosen."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.recipe.codes import Code
from pipeline_dsl.recipe.fields import as_ref
from pipeline_dsl.recipe.findings import Findings
from pipeline_dsl.recipe.merging import merge
from pipeline_dsl.recipe.origins import Layer, LayerKind
from pipeline_dsl.recipe.reading import read_argument
from pipeline_dsl.recipe.refs import Ref
from pipeline_dsl.recipe.suggest import renamed, suggestion
from pipeline_dsl.recipe.values import kind_of
from pipeline_dsl.syntax.names import normal
from pipeline_dsl.syntax.nodes import Entry, Mapping, Node, Scalar

READ_EARLY = ("extends", "profiles", "default_profile")
"""Keys that are read before profiles are laid over, so that they mean nothing in one."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tree with the chosen profile laid over it."""

    tree: Mapping
    name: str | None
    names: tuple[str, ...]
    layers: tuple[Layer, ...] = ()
    sources: tuple[Source, ...] = ()


def apply_profile(tree: Mapping, wanted: str | None, findings: Findings) -> Chosen:
    """Lay the wanted profile, or the default one, over the tree."""
    overlays = _overlays(tree.get("profiles"), findings)
    for overlay in overlays.values():
        _check_keys(overlay, findings)
    names = tuple(overlays)
    sources: tuple[Source, ...] = ()
    ref = _default(tree.get("default_profile"), findings)
    if wanted is not None:
        sources = (read_argument("--profile", wanted, findings),)
        ref = Ref(normal(sources[0].text), Span(sources[0], 0, len(wanted)))
    if ref is None:
        return Chosen(tree, None, names)
    if ref.name not in overlays:
        _unknown(ref, names, findings)
        return Chosen(tree, None, names, sources=sources)
    overlay = overlays[ref.name]
    layer = Layer(LayerKind.PROFILE, ref.name, (), overlay)
    return Chosen(merge(tree, overlay), ref.name, names, (layer,), sources)


def _overlays(node: Node | None, findings: Findings) -> dict[str, Mapping]:
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        message = f"`profiles` must be a block of profiles, not {kind_of(node)}"
        findings.error(Code.WRONG_TYPE, message, node.span)
        return {}
    found = {}
    for entry in node:
        overlay = _overlay(entry, findings)
        if overlay is not None:
            found[entry.key.name] = overlay
    return found


def _overlay(entry: Entry, findings: Findings) -> Mapping | None:
    value = entry.value
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Scalar) and value.value is None:
        return Mapping((), entry.key.span)
    message = f"profile `{entry.key.name}` must be a block, not {kind_of(value)}"
    findings.error(Code.WRONG_TYPE, message, value.span)
    return None


def _default(node: Node | None, findings: Findings) -> Ref | None:
    ref = as_ref(node) if node is not None else None
    if ref is not None or node is None:
        return ref
    message = f"`default_profile` must be the name of a profile, not {kind_of(node)}"
    findings.error(Code.WRONG_TYPE, message, node.span)
    return None


def _check_keys(overlay: Mapping, findings: Findings) -> None:
    for entry in overlay:
        if entry.key.name in READ_EARLY:
            findings.error(
                Code.USELESS_IN_PROFILE,
                f"`{entry.key.name}` has no effect in a profile",
                entry.key.span,
                help="write it at the top of the recipe",
            )


def _unknown(ref: Ref, names: tuple[str, ...], findings: Findings) -> None:
    findings.error(
        Code.UNKNOWN_PROFILE,
        f"there is no profile `{ref.name}`",
        ref.span,
        help=suggestion(ref.name, names, what="profiles") or "this recipe has no `profiles`",
        fixes=renamed(ref.span, ref.name, names),
    )
