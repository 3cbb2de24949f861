# ruff: noqa: S101 - what is here are tests
"""Pytest helpers for plugin authors.

In a plugin's ``conftest.py``::

    pytest_plugins = ["pipeline_dsl.testing"]

and in its tests::

    class TestMyMetric(ProviderContract):
        kind = Kind.METRIC
        provider = MY_METRIC

    class TestMySource(SourceContract):
        provider = MY_SOURCE
        def source(self, folder):
            ...  # one of at least three rows
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest

from pipeline_dsl.api.contracts import LanguageModel, Source, Trainer
from pipeline_dsl.api.errors import DataError
from pipeline_dsl.api.options import construct, schema_of
from pipeline_dsl.api.providers import Kind, Provider
from pipeline_dsl.api.records import Prepared, Sample
from pipeline_dsl.api.trained import Exporter, ExportJob, Shown

HEAVY = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets", "pyarrow")
"""What importing a plugin must not load."""

_RECIPE = """\
recipe: sample
seed: 7
model: {use: embedded}
adapters:
    first: {use: lora, r: 2}
data:
    train: {use: jsonl, path: data/train.jsonl}
    test: {use: jsonl, path: data/test.jsonl}
tasks |task, data, template, metric|
    fluency, test, plain_text, perplexity
phases:
    one:
        task: fluency
        stack |adapter, role|
            first, train
        mix |data, template, weight|
            train, plain_text, 1
        train: {max_steps: 2, batch_size: 2, max_length: 64}
"""
_ROWS = (
    "고혈압은 혈압이 높은 상태이다.",
    "당뇨병은 혈당이 높은 병이다.",
    "The heart pumps blood.",
    "폐는 숨을 쉰다.",
)


@dataclass(frozen=True, slots=True)
class RecipeProject:
    """A folder with a recipe and its data."""

    folder: Path
    recipe: Path
    runs: Path

    def write(self, text: str) -> Path:
        """Replace the recipe by another text and return its path."""
        self.recipe.write_text(text, encoding="utf-8")
        return self.recipe

    def write_rows(self, name: str, rows: list[dict[str, Any]]) -> Path:
        """Write rows as ``data/NAME.jsonl`` and return its path."""
        path = self.folder / "data" / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path


@pytest.fixture
def recipe_project(tmp_path: Path) -> RecipeProject:
    """A folder with a minimal recipe (one phase on the embedded model), its data, and room for runs."""
    project = RecipeProject(folder=tmp_path, recipe=tmp_path / "sample.sdn", runs=tmp_path / "runs")
    (tmp_path / "data").mkdir()
    project.write(_RECIPE)
    project.write_rows("train", [{"text": text} for text in _ROWS])
    project.write_rows("test", [{"text": text} for text in _ROWS[:2]])
    return project


class ProviderContract:
    """What every provider keeps to: subclass it, set ``kind`` and ``provider``; pytest does the rest."""

    kind: ClassVar[Kind]
    provider: ClassVar[Provider]
    sample_options: ClassVar[dict[str, Any]] = {}
    """Values of the required options, for making one."""

    def test_it_has_a_name_that_a_recipe_can_write(self) -> None:
        """Letters, digits, ``_`` and ``-`` only."""
        assert self.provider.name.replace("_", "").replace("-", "").isalnum()

    def test_its_summary_is_one_line(self) -> None:
        """``plugins list`` shows it in a table."""
        assert self.provider.summary.strip()
        assert "\n" not in self.provider.summary

    def test_its_options_are_a_frozen_keyword_only_dataclass_with_slots(self) -> None:
        """Options are values: hashable, comparable, never changed."""
        options = self.provider.options
        assert dataclasses.is_dataclass(options)
        parameters = options.__dataclass_params__  # type: ignore[attr-defined]  # every dataclass has it
        assert parameters.frozen
        assert "__slots__" in vars(options)
        assert all(field.kw_only for field in dataclasses.fields(options))

    def test_every_option_is_documented(self) -> None:
        """``plugins show`` and editors show the line."""
        properties = schema_of(self.provider.options)["properties"]
        silent = [name for name, schema in properties.items() if not schema["description"].strip()]
        assert silent == []

    def test_its_schema_is_valid(self) -> None:
        """A JSON Schema of the dialect 2020-12."""
        jsonschema.Draft202012Validator.check_schema(schema_of(self.provider.options))

    def test_its_defaults_fit_its_own_schema(self) -> None:
        """A default that the schema refuses could never be written out."""
        schema = schema_of(self.provider.options)
        defaults = {n: p["default"] for n, p in schema["properties"].items() if "default" in p}
        jsonschema.Draft202012Validator({**schema, "required": []}).validate(defaults)

    def test_it_can_be_made_from_its_defaults_and_samples(self) -> None:
        """The factory does no work: it can be called anywhere. A required option needs a sample."""
        required = schema_of(self.provider.options).get("required", [])
        missing = [name for name in required if name not in self.sample_options]
        assert missing == [], f"give sample_options for {missing}"
        assert self.provider.factory(construct(self.provider.options, self.sample_options)) is not None

    def test_importing_it_loads_nothing_heavy(self) -> None:
        """``medrecipe check`` imports every plugin."""
        assert heavy_modules_loaded_by(self.provider.factory.__module__) == []


class SourceContract(ProviderContract):
    """What every source of rows keeps to as well: subclass it, and say how one is made."""

    kind: ClassVar[Kind] = Kind.SOURCE

    def source(self, folder: Path) -> Source:
        """Make a source of at least three rows in an empty folder, its files written or to be fetched."""
        raise NotImplementedError

    def test_it_is_here_once_it_is_prepared(self, tmp_path: Path) -> None:
        """From then on nothing needs a network, and preparing it again changes nothing."""
        source = self._prepared(tmp_path)
        before = [path.read_bytes() for path in source.files()]
        source.prepare(lambda _: None)
        assert [path.read_bytes() for path in source.files()] == before

    def test_its_files_are_there(self, tmp_path: Path) -> None:
        """They are hashed: what they hold decides whether a phase is trained again."""
        assert all(path.is_file() for path in self._prepared(tmp_path).files())

    def test_its_rows_are_read_when_they_are_asked_for(self, tmp_path: Path) -> None:
        """An iterator, not a list: a stream may be larger than memory."""
        rows = self._prepared(tmp_path).rows()
        assert iter(rows) is rows

    def test_rows_from_a_start_on_are_those_that_all_rows_end_with(self, tmp_path: Path) -> None:
        """A training that resumes reads on from where it was."""
        source = self._prepared(tmp_path)
        every = list(source.rows())
        assert len(every) > 2, "give it at least three rows"  # noqa: PLR2004 - as it says
        assert all(list(source.rows(start)) == every[start:] for start in range(len(every) + 2))

    def test_its_rows_have_places_and_are_what_json_holds(self, tmp_path: Path) -> None:
        """A place is what a message names; a row is kept, hashed and compared."""
        for place, row in self._prepared(tmp_path).rows():
            assert place
            assert json.loads(json.dumps(row, allow_nan=False)) == row

    def _prepared(self, folder: Path) -> Source:
        source = self.source(folder)
        source.prepare(lambda _: None)
        assert source.here()
        return source


class TrainerContract(ProviderContract):
    """What every trainer keeps to as well: subclass it, and give it a model."""

    kind: ClassVar[Kind] = Kind.TRAINER
    samples: ClassVar[tuple[Sample, ...]] = (
        Sample(prompt="Where is the heart? ", completion="In the chest.", id="row:1"),
        Sample(prompt="", completion="고혈압은 혈압이 높은 상태이다.", id="row:2"),
        Sample(prompt="a", completion="b", id="row:3"),
    )
    """What is prepared; the trainer's defaults must take it."""

    def model(self) -> LanguageModel:
        """Load a small model."""
        raise NotImplementedError

    def test_what_shapes_its_samples_is_json(self) -> None:
        """It is part of the key under which prepared samples are kept."""
        preparation = dict(self._trainer().preparation())
        assert json.loads(json.dumps(preparation)) == preparation

    def test_it_prepares_each_sample_by_itself(self) -> None:
        """One row a sample, the same whatever stands beside it: streams are prepared piece by piece."""
        trainer, model = self._trainer(), self.model()
        together = trainer.prepare(model, self.samples).rows
        alone = [row for sample in self.samples for row in trainer.prepare(model, [sample]).rows]
        assert _plain(together) == _plain(alone)
        assert [row and row.id for row in together] == [sample.id for sample in self.samples]
        assert all(row and 1 <= row.start < len(row.ids) for row in together)

    def test_what_it_prepares_some_at_a_time_is_what_it_prepares_at_once(self) -> None:
        """Of a trainer that has ``prepare_all``: the same rows and amounts, from samples that come once."""
        trainer, model = self._trainer(), self.model()
        some_at_a_time = getattr(trainer, "prepare_all", None)
        if some_at_a_time is None:
            pytest.skip("it has no prepare_all")
        parts, whole = list(some_at_a_time(model, iter(self.samples))), trainer.prepare(model, self.samples)
        assert _plain([row for part in parts for row in part.rows]) == _plain(whole.rows)
        assert sum(part.dropped for part in parts) == whole.dropped
        assert sum(part.shortened for part in parts) == whole.shortened
        assert max(part.longest for part in parts) == whole.longest

    def test_it_counts_steps_and_says_whether_it_knows_those_of_a_stream(self) -> None:
        """A number, or a DataError that says what to set."""
        trainer = self._trainer()
        assert trainer.steps(len(self.samples)) >= 0
        try:
            known = trainer.steps(None) > 0
        except DataError as error:
            known = bool(error.help)
        assert known

    def _trainer(self) -> Trainer:
        made: Trainer = self.provider.factory(construct(self.provider.options, self.sample_options))
        return made


class ExporterContract(ProviderContract):
    """What every exporter keeps to as well: subclass it, and give it a job."""

    kind: ClassVar[Kind] = Kind.EXPORTER

    def job(self, folder: Path) -> ExportJob:
        """Make a job of a small finished stack whose folder is this one, which is there and empty."""
        raise NotImplementedError

    def test_it_says_which_library_opens_it(self) -> None:
        """Model cards and the Hub name it."""
        exporter = self._exporter()
        assert exporter.library.strip()
        assert isinstance(exporter.takes_dtype, bool)

    def test_it_writes_files_into_its_folder(self, tmp_path: Path) -> None:
        """There and nowhere beside it, and neither of those that the engine adds."""
        written = self._export(tmp_path / "out")
        assert written
        assert not {"README.md", "export.json"} & set(written)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_the_same_stack_gives_the_same_files(self, tmp_path: Path) -> None:
        """What was exported can be told by its hash."""
        assert self._export(tmp_path / "one") == self._export(tmp_path / "two")

    def test_it_shows_how_to_open_its_folder(self, tmp_path: Path) -> None:
        """The first fenced block of the card is what the command line shows."""
        job = self.job(tmp_path)
        example = Sample(prompt="{text}", completion="")
        shown = Shown(folder="out", base=job.base, layers=job.layers, example=example, stops=())
        opening = self._exporter().opening(shown)
        assert "```" in opening
        assert "out" in opening

    def _export(self, folder: Path) -> dict[str, bytes]:
        folder.mkdir()
        self._exporter().export(self.job(folder))
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    def _exporter(self) -> Exporter:
        made: Exporter = self.provider.factory(construct(self.provider.options, self.sample_options))
        return made


def _plain(rows: Sequence[Prepared | None]) -> list[tuple[str, list[int], int] | None]:
    return [None if row is None else (row.id, list(row.ids), row.start) for row in rows]


def heavy_modules_loaded_by(*modules: str) -> list[str]:
    """Import modules in a fresh interpreter and return which heavy packages came with them."""
    code = f"import sys, {', '.join(modules)}; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.split()
