"""All schemas that are exported, by the name of their file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline_dsl.api.options import schema_of
from pipeline_dsl.cli.file_schemas import EXPORT_MANIFEST, METADATA, STACK_MANIFEST, metrics_record
from pipeline_dsl.cli.provider_schema import definitions
from pipeline_dsl.cli.record_schema import DIALECT, record_schema
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.recipe.schema import recipe_schema
from pipeline_dsl.registry import Catalog, Offer

Json = dict[str, Any]


def exported(catalog: Catalog) -> Mapping[str, Json]:
    """Return every schema: of files that programs read or write, and of all providers' options."""
    files = {
        "recipe.json": {"$schema": DIALECT} | recipe_schema(definitions(catalog)),
        "plan.json": record_schema(Plan, "A medrecipe plan: plan.json of a run"),
        "run-metadata.json": METADATA,
        "metrics-record.json": metrics_record(),
        "stack-manifest.json": STACK_MANIFEST,
        "export-manifest.json": EXPORT_MANIFEST,
    }
    return files | {f"providers/{o.kind}.{o.provider.name}.json": _options(o) for o in catalog.offers}


def _options(offer: Offer) -> Json:
    title = f"Options of {offer.kind} {offer.provider.name}: {offer.provider.summary}"
    return {"$schema": DIALECT, "title": title} | schema_of(offer.provider.options)
