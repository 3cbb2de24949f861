"""Recipes checked against the installed plugins, or against mini plugins that a test declares."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline_dsl.api import Kind, ModelIdentity, PlacedRow, Provider, hookimpl
from pipeline_dsl.diagnostics import Diagnostic
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.hashing import fingerprint, hash_files
from pipeline_dsl.plan.model import Plan, ViewPlan
from pipeline_dsl.plan.views import View
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import Catalog, build_catalog

RECIPE = """\
recipe: sample
seed: 7
model: {use: embedded}
adapters:
    first: {use: lora, r: 2}
    second: {use: lora, r: 4}
    third: {use: lora, r: 8}
data:
    texts: {use: jsonl, path: texts.jsonl}
    terms: {use: jsonl, path: terms.jsonl}
tasks |task, data, template, metric|
    fluency, texts, plain_text, perplexity
    terms, terms, dictionary, exact_match
train: {epochs: 1, batch_size: 2}
phases:
    one:
        task: fluency
        stack |adapter, role|
            first, train
        mix |data, template, weight|
            texts, plain_text, 1
    two:
        task: terms
        stack |adapter, role|
            first, merge
            second, train
        mix |data, template, weight|
            terms, dictionary, 3
            texts, plain_text, 1
    three:
        stack |adapter, role|
            first, merge
            second, merge
            third, train
        mix |data, template, weight|
            terms, dictionary, 1
"""
TEXTS = tuple({"text": f"문장 {n}: 고혈압은 혈압이 높은 병이다."} for n in range(6))
TERMS = tuple({"english": f"term {n}", "korean": f"용어 {n}"} for n in range(4))
BASE = ModelIdentity(
    name="base", revision="", weights_sha256="a" * 64, tokenizer_sha256="b" * 64, chat_template_sha256="",
    architecture="gemma3",
)  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """What checking a recipe gave."""

    plan: Plan | None
    findings: tuple[Diagnostic, ...]

    @property
    def codes(self) -> list[str]:
        return [f.code for f in self.findings]

    def only(self) -> Diagnostic:
        """The one finding."""
        (finding,) = self.findings
        return finding


@dataclass(frozen=True)
class Desk:
    """A folder with a recipe and its data, and the plugins to check it against."""

    folder: Path
    catalog: Catalog

    def rows(self, name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
        return path

    def check(
        self, text: str = RECIPE, *, sets: Sequence[str] = (), catalog: Catalog | None = None, **choices: Any
    ) -> Checked:
        path = self.folder / "sample.sdn"
        path.write_text(text, encoding="utf-8")
        loaded = load_recipe(str(path), sets=tuple(sets))
        assert loaded.recipe is not None, loaded.diagnostics
        assert not loaded.diagnostics, loaded.diagnostics
        return Checked(*check_recipe(loaded.recipe, catalog or self.catalog, **choices))

    def plan(self, text: str = RECIPE, *, base: ModelIdentity | None = BASE, **choices: Any) -> Plan:
        """The plan of a recipe in which nothing is wrong, hashed and fingerprinted on a base."""
        checked = self.check(text, **choices)
        assert checked.plan is not None, checked.findings
        return fingerprint(replace(hash_files(checked.plan), base=base))


@pytest.fixture(scope="session")
def installed() -> Catalog:
    """The installed plugins."""
    return build_catalog()


@pytest.fixture
def desk(tmp_path: Path, installed: Catalog) -> Desk:
    found = Desk(tmp_path, installed)
    found.rows("texts.jsonl", TEXTS)
    found.rows("terms.jsonl", TERMS)
    return found


@pytest.fixture
def recipe() -> str:
    """A recipe of three phases in which nothing is wrong."""
    return RECIPE


class Entry:
    """What ``build_catalog`` looks at of an entry point."""

    def __init__(self, name: str, module: ModuleType | BaseException, distribution: str = "") -> None:
        self.name = name
        self.value = f"mini_{name}"
        self._module = module
        self.dist = None if not distribution else type("Dist", (), {"name": distribution, "version": "1.0"})()

    def load(self) -> ModuleType:
        if isinstance(self._module, BaseException):
            raise self._module
        return self._module


def mini(name: str, *providers: tuple[Kind, Provider], **more: Any) -> Entry:
    """A plugin that offers these providers; ``more`` are further attributes of its module."""
    module = ModuleType(f"mini_{name}")
    for kind in {kind for kind, _ in providers}:
        setattr(module, kind.hook, _offer([p for k, p in providers if k is kind], kind.hook))
    for attribute, value in more.items():
        setattr(module, attribute, value)
    return Entry(name, module)


def _offer(providers: list[Provider], name: str) -> Callable[[], list[Provider]]:
    def offer() -> list[Provider]:
        return providers

    offer.__name__ = name
    return hookimpl(offer)


@pytest.fixture
def plugin() -> Callable[..., Entry]:
    """Makes mini plugins, to be given to ``build_catalog(entries=…)``."""
    return mini


@pytest.fixture
def failing() -> Callable[[str, BaseException], Entry]:
    """Makes plugins whose import raises."""
    return Entry


@dataclass
class Rows:
    """Rows with the places ``f:1``, ``f:2`` …; it knows from where it was read and how far."""

    given: list[Mapping[str, Any]]
    starts: list[int] = field(default_factory=list)
    read: int = 0

    def rows(self, start: int = 0) -> Iterator[PlacedRow]:
        self.starts.append(start)
        for number, row in enumerate(self.given[start:], start + 1):
            self.read += 1
            yield PlacedRow(f"f:{number}", row)


@pytest.fixture(scope="session")
def view() -> Callable[..., View]:
    """Makes views of rows with the words that are given; their source is a ``Rows``."""

    def make(given: Iterable[Mapping[str, Any]], needs: tuple[str, ...] = (), **words: Any) -> View:
        return View(name="exam", source=Rows(list(given)), plan=ViewPlan(**words), needs=needs)

    return make
