"""Another way to compute something is used where it agrees and is faster, and nowhere else."""

from __future__ import annotations

import itertools

import pytest
import torch

from medrecipe_plugins.models._proof import Case, judge, seconds

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def own(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (x * y).softmax(-1)


def numbers(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(1)
    return tuple((torch.randn(2, 50, 16, generator=draw) * 2).to(dtype) for _ in range(2))


class Clock:
    """The model's own way takes so many seconds, the other one."""

    def __init__(self, own: float) -> None:
        self._turns = itertools.cycle([own, 1.0])

    def __call__(self, work, device) -> float:
        work()
        return next(self._turns)


def verdict(other, *, dtype=torch.float32, speed: float = 2.0, inputs=None):
    return judge(lambda: [Case(own=own, other=other, inputs=inputs or numbers(dtype))], Clock(speed))


class Skewed(torch.autograd.Function):
    """The right output with a gradient that is a little off."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        return slope * 1.01


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_agrees_and_is_faster_is_used(dtype):
    found = verdict(lambda x, y: torch.exp((x * y).log_softmax(-1)), dtype=dtype)
    assert found.good
    assert found.reason == "it computes the same, 2 times as fast"


@pytest.mark.parametrize("speed", [0.5, 1.0, 1.05])
def test_what_is_not_clearly_faster_is_refused(speed):
    found = verdict(own, speed=speed)
    assert not found.good
    assert found.reason == f"it computes the same, {speed:.2g} times as fast"


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_wrong_row_among_many_is_seen(dtype):
    def wrong(x, y):
        found = own(x, y)
        return torch.cat([found[:, :-1], found[:, -1:].roll(1, -1)], 1)

    found = verdict(wrong, dtype=dtype)
    assert not found.good
    assert found.reason.startswith("its output is off by ")


def test_a_gradient_that_is_off_is_refused_though_the_output_is_right():
    found = verdict(lambda x, y: own(Skewed.apply(x), y))
    assert not found.good
    assert found.reason.startswith("its gradient is off by 0.0")


def test_in_16_bits_it_may_be_as_far_from_the_truth_as_the_models_own_and_not_further():
    def coarse(x, y):
        found = own(x, y)
        return found + (found.detach() * 8).round() / 8 - found.detach()

    assert not verdict(coarse, dtype=torch.bfloat16).good
    rows = torch.linspace(0, 3000, 4096).view(1, 4, -1)
    cases = [Case(own=lambda x: x.cumsum(-1), other=lambda x: x.cumsum(-1) * 1, inputs=(rows.bfloat16(),))]
    assert judge(lambda: cases, Clock(2)).good


@pytest.mark.parametrize("spoil", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(spoil):
    assert not verdict(lambda x, y: own(x, y) + torch.full((), spoil)).good


@pytest.mark.parametrize("other", [lambda x, y: own(x, y).double(), lambda x, y: own(x, y)[:, :1]])
def test_another_shape_or_number_format_is_refused(other):
    assert verdict(other).reason == "its output is of another kind"


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_what_raises_is_refused_with_its_first_line(backward):
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            if not backward:
                raise RuntimeError("no kernel for this machine\nwith a page of details")
            return x.clone()

        @staticmethod
        def backward(ctx, slope):
            raise RuntimeError("no kernel for this machine\nwith a page of details")

    found = verdict(lambda x, y: own(Broken.apply(x), y))
    assert not found.good
    assert found.reason == "it ends in RuntimeError: no kernel for this machine"


def test_what_cannot_even_be_made_is_refused():
    def cases():
        raise ImportError("no triton")

    assert judge(cases).reason == "it ends in ImportError: no triton"
    assert judge(list).reason == "this model has no use for it"


def test_what_writes_over_its_inputs_spoils_nothing():
    class Rude(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return own(x, y)

        @staticmethod
        def backward(ctx, slope):
            x, y = (t.detach().requires_grad_() for t in ctx.saved_tensors)
            with torch.enable_grad():
                found = torch.autograd.grad(own(x, y), (x, y), slope)
            x.data.zero_()
            y.data.zero_()
            return found

    inputs = numbers()
    before = [x.clone() for x in inputs]
    assert verdict(Rude.apply, inputs=inputs).good
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))


def test_gradients_that_ask_for_gradients_are_as_good_as_others():
    class Saved(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, slope):
            x, y = ctx.saved_tensors
            held = x.data.clone()
            x.data.copy_(slope * y.data)
            y.data.copy_(slope * held)
            return x, y

    case = Case(own=torch.mul, other=Saved.apply, inputs=numbers())
    assert judge(lambda: [case], Clock(2)).good


def test_nothing_draws_from_the_generators_of_a_training():
    torch.manual_seed(3)
    expected = torch.randn(3)
    torch.manual_seed(3)
    verdict(own)
    assert torch.equal(torch.randn(3), expected)


def test_time_counts_as_often_as_a_model_computes_it():
    cases = [Case(own=own, other=own, inputs=numbers(), count=count) for count in (1, 9)]
    times = iter([*[1.0, 10.0] * 5, *[10.0, 1.0] * 5])
    found = judge(lambda: cases, lambda *_: next(times))
    assert found.reason == "it computes the same, 4.8 times as fast"  # (1 + 9·10) / (10 + 9)


def test_a_work_is_really_measured():
    assert 0 <= seconds(lambda: None, torch.device("cpu")) < 1
