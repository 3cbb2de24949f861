"""Names to providers: what a ``use`` chooses, with all of its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline_dsl.api.errors import MedrecipeError
from pipeline_dsl.api.options import construct, plain_options
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import ProviderRef
from pipeline_dsl.plan.options import read_options
from pipeline_dsl.recipe.model import Use
from pipeline_dsl.recipe.suggest import nearest
from pipeline_dsl.registry import Catalog, Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A provider that was found and made. ``made`` is the object of its kind; making it does no work."""

    ref: ProviderRef
    made: Any
    span: Span


Found = tuple[Chosen | None, tuple[Diagnostic, ...]]


def choose(catalog: Catalog, kind: Kind, use: Use) -> Found:
    """Find the provider that a block chooses, check its options and make it."""
    offers = catalog.find(kind, use.name)
    if len(offers) != 1:
        finding = _clash(kind, use, offers) if offers else _unknown(catalog, kind, use)
        return None, (finding,)
    offer = offers[0]
    values, findings = read_options(use, offer.provider.options, f"{kind} `{use.name}`")
    if any(f.is_error for f in findings):
        return None, findings
    options = construct(offer.provider.options, values)
    ref = ProviderRef(
        kind=kind,
        name=offer.provider.name,
        plugin=offer.plugin.name,
        version=version_of(offer),
        options=plain_options(options),
    )
    try:
        made = offer.provider.factory(options)
    except MedrecipeError as error:
        return None, (*findings, told(error, use.span))
    return Chosen(ref=ref, made=made, span=use.span), findings


def make(catalog: Catalog, ref: ProviderRef) -> Any:  # noqa: ANN401 - the object of the ref's kind
    """Make the object of a provider that a plan names.

    Raises:
        LookupError: the plugin is no longer there.
    """
    offers = catalog.find(ref.kind, f"{ref.plugin}/{ref.name}")
    if not offers:
        msg = f"the plan needs the {ref.kind} {ref.plugin}/{ref.name}, which is no longer installed"
        raise LookupError(msg)
    provider = offers[0].provider
    return provider.factory(construct(provider.options, ref.options))


def version_of(offer: Offer) -> str:
    """What identifies the code behind an offer: the provider's version, and its distribution's if not ours.

    Ours raises a provider's own version when its results change, so that a release retrains nothing by itself.
    """
    if offer.plugin.distribution == "medrecipe":
        return offer.provider.version
    return f"{offer.provider.version}@{offer.plugin.distribution}-{offer.plugin.version}"


def told(error: MedrecipeError, span: Span | None) -> Diagnostic:
    """A provider's complaint as a finding at the place that asked for it."""
    where = f" ({error.place})" if error.place else ""
    return Diagnostic(code=error.code, message=error.message + where, span=span, help=error.help)


def _clash(kind: Kind, use: Use, offers: tuple[Offer, ...]) -> Diagnostic:
    plugins = " and ".join(f"`{o.plugin.name}`" for o in offers)
    return Diagnostic(
        code=PlanCode.CLASH.code,
        message=f"the {kind} `{use.name}` is offered by the plugins {plugins}",
        span=use.span,
        help="write " + " or ".join(f"`{o.full_name}`" for o in offers),
    )


def _unknown(catalog: Catalog, kind: Kind, use: Use) -> Diagnostic:
    broken = [p for p in catalog.broken if use.name.split("/")[0] in {p.name, *p.module.split(".")}]
    if broken:
        return Diagnostic(
            code=PlanCode.BROKEN_PLUGIN.code,
            message=f"the plugin `{broken[0].name}`, which may offer the {kind} `{use.name}`, could not be loaded",
            span=use.span,
            reason=broken[0].reason,
            help=f"repair or uninstall it; `medrecipe plugins show {broken[0].name}` tells more",
        )
    names = catalog.names(kind)
    near = nearest(use.name, names)
    listing = ", ".join(names) or "none: no plugin that offers one is installed"
    lost = "; ".join(f"{p.name}: {p.reason}" for p in catalog.broken)
    return Diagnostic(
        code=PlanCode.UNKNOWN_PROVIDER.code,
        message=f"no plugin offers the {kind} `{use.name}`",
        span=use.span,
        help=(f"did you mean `{near}`? " if near else "") + f"installed: {listing}",
        reason=f"plugins that could not be loaded: {lost}" if lost else None,
    )
