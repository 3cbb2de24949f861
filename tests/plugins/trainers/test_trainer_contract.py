"""Our trainer keeps the contract of trainers, and the contract finds what does not."""

from __future__ import annotations

import pytest

from medrecipe_plugins.trainers.trainer import medrecipe_trainers
from pipeline_dsl.api import DataError, NoOptions, Preparation, Prepared, Provider
from pipeline_dsl.testing import TrainerContract

CHECKS = [name for name in vars(TrainerContract) if name.startswith("test_")]


class TestTrainer(TrainerContract):
    provider = medrecipe_trainers()[0]

    @pytest.fixture(autouse=True)
    def _given(self, handle, llama):
        self._model = handle(llama())

    def model(self):
        return self._model


class Sloppy:
    """A trainer with the faults that are named; what it prepares is one token longer from call to call."""

    def __init__(self, fault):
        self.fault = fault
        self.calls = 1

    def preparation(self):
        return {"length": {1, 2} if "json" in self.fault else 3}

    def prepare(self, model, samples):
        self.calls += "by_itself" in self.fault
        rows = [Prepared(s.id, (5,) * self.calls + (1,), 1) for s in samples]
        return Preparation(rows=rows, dropped=0, shortened=0, longest=2)

    def steps(self, samples):
        if samples is None:
            raise DataError("no", help=None if "stream" in self.fault else "set max_steps")
        return samples


def sloppy(fault):
    provider = Provider(name="sloppy", summary="x", factory=lambda _: Sloppy(fault), options=NoOptions)
    return type("Contract", (TrainerContract,), {"provider": provider, "model": lambda _: None})()


@pytest.mark.parametrize("check", CHECKS)
def test_the_contract_finds_faults(check):
    with pytest.raises((AssertionError, TypeError)):
        getattr(sloppy(check), check)()
    getattr(sloppy(""), check)()
