"""An optimizer goes on from its checkpoint as if it had never been away, whatever it remembers."""

import json

import pytest

from medrecipe_plugins.trainers import _optimizer
from medrecipe_plugins.trainers._randomness import Randomness
from pipeline_dsl.api import Control, ModelError

CUT = Control(stop=True, checkpoint=True)
PAGED = "ignore:Paged optimizers are not supported on CPU:UserWarning"


@pytest.mark.filterwarnings(PAGED)
@pytest.mark.parametrize("optimizer", ["adamw_torch_fused", "adafactor", "sgd", "paged_adamw_8bit"])
def test_resuming_is_exact_with_every_optimizer(bench, llama, same, optimizer):
    settings = {"optimizer": optimizer, "lr_scheduler": "cosine", "warmup_ratio": 0.3, "weight_decay": 0.1}
    whole, fresh = llama(), llama()
    expected, _ = bench.train(whole, folder="whole", **settings)
    bench.train(llama(), answers={("iteration_completed", 3): CUT}, **settings)
    outcome, _ = bench.train(fresh, resume=True, **settings)
    assert outcome == expected
    assert same(fresh, whole)


@pytest.mark.filterwarnings(PAGED)
@pytest.mark.parametrize("name", ["adamw", "adafactor in 16 bits", "8 bits", "8 bits, small"])
def test_a_state_comes_back_tensor_by_tensor_number_formats_included(tmp_path, name):
    import torch

    def made():
        torch.manual_seed(3)
        small = name.endswith("small")
        half = "16" in name
        module = torch.nn.Linear(
            8 if small else 96, 8 if small else 96, dtype=torch.bfloat16 if half else None
        )
        if name == "adamw":
            return module, torch.optim.AdamW(module.parameters(), lr=0.1)
        if half:
            from transformers import Adafactor

            return module, Adafactor(module.parameters(), lr=0.1, relative_step=False, scale_parameter=False)
        from bitsandbytes.optim import PagedAdamW8bit

        return module, PagedAdamW8bit(module.parameters(), lr=0.1)

    module, optimizer = made()
    for _ in range(2):
        module(torch.randn(4, module.in_features, dtype=module.weight.dtype)).square().sum().backward()
        optimizer.step()
    _optimizer.write(optimizer, dict(module.named_parameters()), tmp_path)
    again, fresh = made()
    _optimizer.load(fresh, dict(again.named_parameters()), tmp_path)
    assert fresh.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
    for ours, theirs in zip(module.parameters(), again.parameters(), strict=True):
        expected, found = optimizer.state[ours], fresh.state[theirs]
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            if isinstance(value, torch.Tensor):
                assert (found[key].dtype, torch.equal(found[key], value)) == (value.dtype, True), key
            else:
                assert found[key] == value
    again.load_state_dict(module.state_dict())
    for one, its in ((module, optimizer), (again, fresh)):
        one.zero_grad()
        one(torch.ones(1, one.in_features, dtype=one.weight.dtype)).square().sum().backward()
        its.step()
    assert torch.equal(module.weight, again.weight)


def test_tensors_that_were_in_pages_are_put_into_pages_again(tmp_path):
    """bitsandbytes pages on GPUs alone: what matters is that its own maker of buffers is asked."""
    import torch

    class Paging(torch.optim.SGD):
        def get_state_buffer(self, parameter, dtype):
            buffer = torch.zeros_like(parameter, dtype=dtype)
            buffer.is_paged = True
            return buffer

    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = Paging([parameter], lr=0.1)
    state = optimizer.get_state_buffer(parameter, torch.uint8)
    state += 7
    optimizer.state[parameter] = {"state1": state, "absmax1": torch.ones(1), "step": 5}
    _optimizer.write(optimizer, {"p": parameter}, tmp_path)
    fresh = Paging([parameter], lr=0.1)
    _optimizer.load(fresh, {"p": parameter}, tmp_path)
    found = fresh.state[parameter]
    assert found["state1"].is_paged
    assert found["state1"].tolist() == [7, 7, 7]
    assert not hasattr(found["absmax1"], "is_paged")
    assert found["step"] == 5


def test_a_state_of_other_parameters_is_refused(tmp_path):
    import torch

    one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2, bias=False)
    _optimizer.write(torch.optim.SGD(one.parameters()), dict(one.named_parameters()), tmp_path)
    with pytest.raises(ModelError, match="other parameters"):
        _optimizer.load(torch.optim.SGD(other.parameters()), dict(other.named_parameters()), tmp_path)


def test_tensors_are_found_by_the_names_of_their_parameters(bench, llama):
    from safetensors.torch import load_file

    module = llama()
    bench.train(module, save_steps=6)
    folder = bench.folder / "train" / "checkpoint-6"
    names = {n for n, p in module.named_parameters() if p.requires_grad}
    tensors = load_file(folder / "optimizer.safetensors")
    assert set(tensors) == {f"{n}|{key}" for n in names for key in ("exp_avg", "exp_avg_sq", "step")}
    groups = json.loads((folder / "optimizer.json").read_text("utf-8"))["groups"]
    assert {n for group in groups for n in group["params"]} == names


def test_all_random_generators_come_back(tmp_path):
    import random

    import numpy as np
    import torch

    def drawn():
        return random.random(), random.gauss(), np.random.normal(), torch.rand(3).tolist()  # noqa: NPY002

    drawn()
    Randomness.now().write(tmp_path)
    expected = drawn()
    drawn()
    Randomness.read(tmp_path).restore()
    assert drawn() == expected
