"""What of a recipe's schema depends on the installed plugins: which names there are, with which options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline_dsl.api.options import schema_of
from pipeline_dsl.api.providers import DATA_WORDS, Kind
from pipeline_dsl.registry import Catalog, Offer

Json = dict[str, Any]
_BESIDE = ("use", "like")
_REFERENCE: Json = {"type": "string", "pattern": r"\$\{", "description": "a value that stands elsewhere"}


def definitions(catalog: Catalog) -> Mapping[str, Json]:
    """For every kind: ``options_KIND``, what a block may hold, and ``use_KIND``, a name or such a block.

    A block without ``use`` (a profile's, one that is like another) may have the options of any provider.
    """
    found: dict[str, Json] = {}
    for kind in Kind:
        offers = [offer for offer in catalog.offers if offer.kind is kind]
        found[f"options_{kind}"] = _options(kind, offers)
        found[f"use_{kind}"] = _use(kind, offers)
    return found


def _names(offers: Iterable[Offer]) -> list[str]:
    return sorted({name for offer in offers for name in (offer.provider.name, offer.full_name)})


def _use(kind: Kind, offers: list[Offer]) -> Json:
    # A template may be one that the recipe declares itself.
    name: Json = {"type": "string", "minLength": 1} if kind is Kind.TEMPLATE else {"enum": _names(offers)}
    block = {"type": "object", "$ref": f"#/$defs/options_{kind}"}
    return {"anyOf": [name, block], "description": f"a {kind} by its name, or a block of use and its options"}


def _options(kind: Kind, offers: list[Offer]) -> Json:
    words = DATA_WORDS if kind is Kind.SOURCE else ()
    every = sorted({name for offer in offers for name in schema_of(offer.provider.options)["properties"]})
    free: Json = {"propertyNames": {"enum": [*_BESIDE, *words, *every]}}
    chosen = [_chosen(offer, words) for offer in offers]
    use: Json = {"properties": {"use": {"anyOf": [{"enum": _names(offers)}, _REFERENCE]}}}
    return {"allOf": [use, {"if": {"required": ["use"]}, "then": {"allOf": chosen}, "else": free}]}


def _chosen(offer: Offer, words: Iterable[str]) -> Json:
    properties = schema_of(offer.provider.options)["properties"]
    names = [offer.provider.name, offer.full_name]
    options: Json = {
        "propertyNames": {"enum": [*_BESIDE, *words, *properties]},
        "properties": {name: {"anyOf": [facts, _REFERENCE]} for name, facts in properties.items()},
    }
    return {"if": {"properties": {"use": {"enum": names}}}, "then": options}
