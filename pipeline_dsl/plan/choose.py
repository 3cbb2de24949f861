"""Names to providers: what a ``use`` chooses, with all of its options."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from pipeline_dsl.api.errors import MachineError, MedrecipeError
from pipeline_dsl.api.options import construct, plain_options
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.diagnostics import Diagnostic, Span
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import ProviderRef
from pipeline_dsl.plan.options import path_options, read_options
from pipeline_dsl.recipe.model import Use
from pipeline_dsl.recipe.suggest import nearest, renamed
from pipeline_dsl.registry import Catalog, Offer
from pipeline_dsl.syntax.nodes import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A provider that was found and made. ``made`` is the object of its kind; making it does no work."""

    ref: ProviderRef
    made: Any
    span: Span


Found = tuple[Chosen | None, tuple[Diagnostic, ...]]


def choose(catalog: Catalog, kind: Kind, use: Use, own: tuple[str, ...] = ()) -> Found:
    """Find the provider that a block chooses, check its options and make it.

    ``own`` are names that the recipe itself gives to things of this kind: a misspelt one may be meant.
    """
    offers = catalog.find(kind, use.name)
    if len(offers) != 1:
        finding = _clash(kind, use, offers) if offers else _unknown(catalog, kind, use, own)
        return None, (finding,)
    try:
        return _chosen(offers[0], use)
    except MedrecipeError as error:
        return None, (told(error, use.span, use.options),)
    except Exception as error:  # noqa: BLE001 - the plugin border: its options class or factory failed
        return None, (failed(_bare(offers[0]), use.span, error, "refuses its options"),)


def _chosen(offer: Offer, use: Use) -> Found:
    kind, provider = offer.kind, offer.provider
    values, findings = read_options(use, provider.options, f"{kind} `{use.name}`")
    if any(f.is_error for f in findings):
        return None, findings
    options: Any = construct(provider.options, values)
    made = provider.factory(options)
    ref = replace(
        _bare(offer),
        options=plain_options(options),
        paths=path_options(provider.options),
        content=hashlib.sha256(made.text().encode()).hexdigest() if kind is Kind.TEMPLATE else "",
    )
    return Chosen(ref=ref, made=made, span=use.span), findings


def _bare(offer: Offer) -> ProviderRef:
    """An offer's provider, without options yet."""
    provider, plugin = offer.provider, offer.plugin
    return ProviderRef(
        kind=offer.kind, name=provider.name, plugin=plugin.name, version=version_of(offer), options={}
    )


def make(catalog: Catalog, ref: ProviderRef) -> Any:
    """Make the object of a provider that a plan names, of the ref's kind.

    Raises:
        MachineError: the plugin is no longer there, or no longer takes the plan's options.
    """
    full = f"{ref.plugin}/{ref.name}"
    offers = catalog.find(ref.kind, full)
    if not offers:
        reason = next((p.reason for p in catalog.broken if p.name == ref.plugin), None)
        raise MachineError(
            f"the {ref.kind} `{full}` "
            + (f"cannot be loaded: {reason}" if reason else "that the plan names is not installed"),
            help="install the plugin as it was when the plan was made, or plan anew",
            code=PlanCode.BROKEN_PLUGIN.code,
        )
    provider = offers[0].provider
    try:
        options: Any = construct(provider.options, ref.options)
    except (TypeError, ValueError, KeyError) as error:
        raise MachineError(
            f"the {ref.kind} `{full}` no longer takes the options of the plan: {_words(error)}",
            help="install the plugin as it was when the plan was made, or plan anew",
            code=PlanCode.BROKEN_PLUGIN.code,
        ) from error
    return provider.factory(options)


def version_of(offer: Offer) -> str:
    """What identifies the code behind an offer: its own version and, if not ours, its distribution's.

    We raise a provider's version when its results change, so that a release retrains nothing by itself.
    """
    if offer.plugin.distribution == "medrecipe":
        return offer.provider.version
    return f"{offer.provider.version}@{offer.plugin.distribution}-{offer.plugin.version}"


def told(error: MedrecipeError, span: Span | None, options: Mapping | None = None) -> Diagnostic:
    """A provider's complaint as a finding: at the option that it names, or at the place that asked for it."""
    entry = options.entry(error.place) if options and error.place else None
    where = f" ({error.place})" if error.place and entry is None else ""
    place = entry.value.span if entry else span
    return Diagnostic(code=error.code, message=error.message + where, span=place, help=error.help)


def _clash(kind: Kind, use: Use, offers: tuple[Offer, ...]) -> Diagnostic:
    plugins = " and ".join(f"`{o.plugin.name}`" for o in offers)
    return Diagnostic(
        code=PlanCode.CLASH.code,
        message=f"the {kind} `{use.name}` is offered by the plugins {plugins}",
        span=use.span,
        help="write " + " or ".join(f"`{o.full_name}`" for o in offers),
    )


def failed(ref: ProviderRef, span: Span, error: Exception, what: str) -> Diagnostic:
    """What a provider's own code raised, under the name of its plugin, as a finding."""
    return Diagnostic(
        code=PlanCode.OPTION_REFUSED.code,
        message=f"the {ref.kind} `{ref.name}` of the plugin `{ref.plugin}` {what}: {_words(error)}",
        span=span,
        help=f"`medrecipe plugins show {ref.name}` lists its options",
    )


def _words(error: Exception) -> str:
    """What an exception says; its class too where that is not written for people."""
    return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"


def _unknown(catalog: Catalog, kind: Kind, use: Use, own: tuple[str, ...]) -> Diagnostic:
    names = (*own, *catalog.names(kind))
    near = nearest(use.name, names)
    lost = "; ".join(f"{p.name}: {p.reason}" for p in catalog.broken)
    suspects = [p for p in catalog.broken if p.name == use.name.split("/")[0]]
    suspects = suspects or [p for p in catalog.broken if not near]
    if suspects:
        plugins = " or ".join(f"`{p.name}`" for p in suspects)
        return Diagnostic(
            code=PlanCode.BROKEN_PLUGIN.code,
            message=f"no plugin offers the {kind} `{use.name}`, but {plugins} could not be loaded: "
            + "; ".join(str(p.reason) for p in suspects),
            span=use.span,
            help=f"repair or uninstall it; `medrecipe plugins show {suspects[0].name}` tells more",
        )
    installed = ", ".join(catalog.names(kind))
    listing = f"installed: {installed}" if installed else "no plugin that is loaded offers one"
    listing = f"in `{kind}s`: {', '.join(own)}; {listing}" if own else listing
    return Diagnostic(
        code=PlanCode.UNKNOWN_PROVIDER.code,
        message=f"no plugin offers the {kind} `{use.name}`",
        span=use.span,
        help=(f"did you mean `{near}`? " if near else "") + listing,
        reason=f"plugins that could not be loaded: {lost}" if lost else None,
        fixes=renamed(use.span, use.name, names),
    )
