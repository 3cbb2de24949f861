"""Our exporters keep the contract that others have."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
import torch

from medrecipe_plugins.adapters.lora import Lora
from medrecipe_plugins.adapters.lora import Options as LoraOptions
from medrecipe_plugins.exporters import adapter, merged, stack
from medrecipe_plugins.models.causal_lm import CausalLM, Options
from pipeline_dsl.api import ExportJob, LoadRequest, ModelError, StackLayer
from pipeline_dsl.testing import ExporterContract

LORA = Lora(options=LoraOptions(r=2, dropout=0.0))


@pytest.fixture(scope="module")
def material(tiny_folder_of, tmp_path_factory) -> ExportJob:
    """A job of one adapter with weights of its own, without a folder to write to."""
    base = CausalLM(options=Options(folder=str(tiny_folder_of("llama")), dtype="float32"))
    folder = tmp_path_factory.mktemp("trained") / "one"

    def load():
        return base.load(LoadRequest(device="cpu", seed=1))

    model = load()
    LORA.attach(model, [StackLayer(name="one", role="train", adapter=LORA, folder=None)])
    with torch.no_grad():
        for number, parameter in enumerate(p for p in model.module.parameters() if p.requires_grad):
            parameter.fill_(0.01 * (1 + number % 3))
    LORA.save(model, "one", folder)
    return ExportJob(
        load=load,
        base=base.identity("cpu"),
        layers=[StackLayer(name="one", role="freeze", adapter=LORA, folder=folder)],
        files={f"phases/one/adapter/{path.name}": path for path in folder.iterdir()},
        folder=Path(),
        dtype=None,
        say=lambda _: None,
    )


class _Contract(ExporterContract):
    material: ClassVar[ExportJob]

    @pytest.fixture(autouse=True)
    def _take(self, material: ExportJob) -> None:
        type(self).material = material

    def job(self, folder: Path) -> ExportJob:
        return into(self.material, folder)


def into(job: ExportJob, folder: Path, **changes: object) -> ExportJob:
    names = ("load", "base", "layers", "files", "dtype", "say")
    return ExportJob(**({name: getattr(job, name) for name in names} | {"folder": folder} | changes))


class TestMerged(_Contract):
    provider = merged.medrecipe_exporters()[0]


class TestAdapter(_Contract):
    provider = adapter.medrecipe_exporters()[0]


class TestStack(_Contract):
    provider = stack.medrecipe_exporters()[0]


class Whole:
    """A kind of adapter that knows nothing but its own form."""


@pytest.mark.parametrize("exporter", [merged.Merged, adapter.OneAdapter])
def test_what_cannot_be_folded_is_refused_before_the_base_is_loaded(material, tmp_path, exporter):
    def load():
        pytest.fail("loaded")

    layers = [*material.layers, StackLayer(name="odd", role="freeze", adapter=Whole(), folder=tmp_path)]
    with pytest.raises(ModelError, match="the adapter odd is of a kind") as caught:
        exporter(None).export(into(material, tmp_path, load=load, layers=layers))
    assert (caught.value.code, caught.value.help) == ("MR473", "export it --to stack")


def test_a_base_is_let_go_where_folding_fails(material, tmp_path):
    closed = []

    def load():
        model = material.load()
        model.close = lambda: closed.append(True)  # type: ignore[method-assign]
        return model

    missing = [StackLayer(name="one", role="freeze", adapter=LORA, folder=tmp_path / "none")]
    for exporter in (merged.Merged, adapter.OneAdapter):
        with pytest.raises(ModelError):
            exporter(None).export(into(material, tmp_path, load=load, layers=missing))
    assert closed == [True, True]
