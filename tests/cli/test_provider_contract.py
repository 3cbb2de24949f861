"""Every provider of ours keeps the contract that we ask of others, and the contract finds what does not."""

from __future__ import annotations

from dataclasses import dataclass

import jsonschema
import pytest

from pipeline_dsl.api import Kind, Provider, option
from pipeline_dsl.registry import build_catalog, installed_plugins
from pipeline_dsl.testing import ProviderContract, heavy_modules_loaded_by

OURS = [e for e in installed_plugins() if e.dist is not None and e.dist.name == "medrecipe"]
OFFERS = build_catalog(entries=OURS).offers
SAMPLES = {
    "causal_lm": {"name": "google/medgemma-4b-it"},
    "jsonl": {"path": "data.jsonl"},
    "json": {"path": "data.json"},
    "csv": {"path": "data.csv"},
    "parquet": {"path": "data.parquet"},
    "text": {"path": "data.txt"},
    "hub": {"name": "owner/name", "revision": "main"},
    "custom": {"prompt": "{question}", "completion": "{answer}"},
    "early_stop": {"monitor": "loss"},
    "keep_best": {"task": "exam"},
}
CHECKS = [name for name in vars(ProviderContract) if name.startswith("test_") and "heavy" not in name]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: f"{offer.kind}.{offer.provider.name}")
def test_our_providers_keep_the_contract(offer, check):
    getattr(contract(offer.kind, offer.provider), check)()


def test_our_plugins_load_nothing_heavy():
    modules = sorted({offer.provider.factory.__module__ for offer in OFFERS})
    assert heavy_modules_loaded_by(*modules) == []


def contract(on: Kind, of: Provider) -> ProviderContract:
    known = of.options.__dataclass_fields__
    samples = {name: value for name, value in SAMPLES.get(of.name, {}).items() if name in known}
    return type("Contract", (ProviderContract,), {"kind": on, "provider": of, "sample_options": samples})()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fine:
    """Fine."""

    size: int = option(1, ge=1, doc="how large")


@dataclass
class Loose:
    """Neither frozen nor with slots."""

    size: int = option(1, doc="how large")


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """An option without a word."""

    size: int = option(1, doc="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrary:
    """A default that the schema refuses."""

    size: int = option(0, ge=1, doc="how large")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needy:
    """A required option."""

    size: int = option(doc="how large")


@pytest.mark.parametrize(
    ("options", "check"),
    [
        (Loose, "test_its_options_are_a_frozen_keyword_only_dataclass_with_slots"),
        (Silent, "test_every_option_is_documented"),
        (Contrary, "test_its_defaults_fit_its_own_schema"),
        (Needy, "test_it_can_be_made_from_its_defaults_and_samples"),
    ],
)
def test_the_contract_finds_faults(options, check):
    faulty = contract(Kind.METRIC, Provider(name="x", summary="x", factory=str, options=options))
    with pytest.raises((AssertionError, jsonschema.ValidationError)):
        getattr(faulty, check)()


@pytest.mark.parametrize(("name", "summary"), [("a b", "x"), ("x", ""), ("x", "two\nlines")])
def test_the_contract_finds_odd_names_and_summaries(name, summary):
    odd = contract(Kind.METRIC, Provider(name=name, summary=summary, factory=object, options=Fine))
    check = (
        odd.test_its_summary_is_one_line if name == "x" else odd.test_it_has_a_name_that_a_recipe_can_write
    )
    with pytest.raises(AssertionError):
        check()


def test_heavy_imports_are_found():
    assert "torch" in heavy_modules_loaded_by("torch")


def test_the_sample_project_is_fine(recipe_project, medrecipe):
    result = medrecipe("check", str(recipe_project.recipe))
    assert (result.code, result.err) == (0, "")


def test_the_sample_project_can_be_changed(recipe_project, medrecipe):
    recipe_project.write("seed: x\n")
    recipe_project.write_rows("more", [{"text": "값"}])
    assert medrecipe("check", str(recipe_project.recipe)).code == 2
    assert "값" in (recipe_project.folder / "data" / "more.jsonl").read_text(encoding="utf-8")
