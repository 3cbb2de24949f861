"""Whether another way to compute something may stand for a model's own: tried here, on this machine.

What is fast on one machine is slow on the next, or wrong, or does not start. So nothing is taken on trust:
another way is used where its output and its gradients, on numbers of the model, are as near to the truth as
those of the model's own way, and where it has been measured to be faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

Compute = Callable[..., torch.Tensor]
"""From tensors to a tensor, with gradients."""
Clock = Callable[[Callable[[], object], torch.device], float]
"""Seconds that a work takes on a device."""

_WIDER = {torch.float32: torch.float64}
"""In what the truth is computed; float32 for all that is narrower."""
_AS_NEAR = 2.0
"""How many times as far from the truth as the model's own way the other may be."""
_ROUNDING = {torch.float32: 1e-5, torch.bfloat16: 2.0**-7, torch.float16: 2.0**-10}
"""Distance that is granted whatever the model's own is: what the order of sums or one rounding makes."""
_WORTH_IT = 1.1
"""How many times as fast the other has to be: less is chance, and would come out otherwise the next time."""
_LOOKS, _AT_ONCE = 5, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One computation that a model does, and how else it may be done."""

    own: Compute
    other: Compute
    inputs: tuple[torch.Tensor, ...]
    count: int = 1
    """How often a forward of the model does it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a trial."""

    good: bool
    """Whether the other way is to be used."""
    reason: str
    """Why, or why not."""


def judge(cases: Callable[[], Sequence[Case]], clock: Clock | None = None, *, faster: bool = True) -> Verdict:
    """Try another way on all cases that it may be used for.

    Args:
        cases: makes them; what it raises counts against the other way, as does what that itself raises.
        clock: by what is measured; without one, by the time it takes.
        faster: whether it has to be; else that it computes the same is enough.
    """
    try:
        return _judged(cases(), (clock or seconds) if faster else None)
    except Exception as error:  # noqa: BLE001 - a compiler of kernels may raise anything, and the own way stands
        told = str(error).strip().partition("\n")[0]
        return Verdict(good=False, reason=f"it ends in {type(error).__name__}{': ' * bool(told)}{told}")


def _judged(cases: Sequence[Case], clock: Clock | None) -> Verdict:
    if not cases:
        return Verdict(good=False, reason="this model has no use for it")
    fault = next(filter(None, map(_fault, cases)), None)
    if fault is not None:
        return Verdict(good=False, reason=fault)
    if clock is None:
        return Verdict(good=True, reason="it computes the same")
    speed = _speed(cases, clock)
    return Verdict(speed >= _WORTH_IT, f"it computes the same, {speed:.2g} times as fast")


def _fault(case: Case) -> str | None:
    """Return in what the other way is too far from the truth; None: in nothing."""
    dtype = case.inputs[0].dtype
    truth = _results(case.own, [x.to(_WIDER.get(dtype, torch.float32)) for x in case.inputs], dtype)
    own, other = (_results(compute, case.inputs, dtype) for compute in (case.own, case.other))
    for number, (right, mine, theirs) in enumerate(zip(truth, own, other, strict=True)):
        what = "output" if number == 0 else "gradient"
        if theirs.shape != mine.shape or theirs.dtype != mine.dtype:
            return f"its {what} is of another kind"
        found, allowed = _distance(theirs, right), _AS_NEAR * _distance(mine, right) + _ROUNDING[dtype]
        if not found <= allowed:  # as it stands, numbers that are none are refused
            return f"its {what} is off by {found:.2g}, more than {allowed:.2g}"
    return None


def _results(compute: Compute, inputs: Sequence[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
    """Return the output and the gradients of all inputs, for the same slope in every number format."""
    leaves = _leaves(inputs)
    output = compute(*leaves)
    slope = _slope(output, dtype)
    return [x.detach() for x in (output, *torch.autograd.grad(output, leaves, slope))]


def _leaves(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Copy tensors, for some kernels write over what they are given."""
    return [x.detach().clone().requires_grad_() for x in inputs]


def _slope(output: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return numbers that are all different, in a training's stead; no generator of it is touched."""
    draw = torch.Generator(output.device).manual_seed(0)
    return torch.randn(output.shape, generator=draw, device=output.device).to(dtype).to(output.dtype)


def _distance(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Largest difference of a row of numbers, in usual rows: one wrong token is seen among many."""
    usual = truth.double().square().sum(-1).mean().sqrt()
    gap = (found.double() - truth.double()).norm(dim=-1).max()
    return float(gap / usual.clamp_min(torch.finfo(torch.float32).tiny))


def _speed(cases: Sequence[Case], clock: Clock) -> float:
    """How many times as fast the other way is, forward and backward, in all cases as often as they come."""
    own = other = 0.0
    for case in cases:
        works = [_work(compute, case.inputs) for compute in (case.own, case.other)]
        device = case.inputs[0].device
        looks = [[clock(work, device) for work in works] for _ in range(_LOOKS)]  # the two take turns
        mine, theirs = (min(taken) for taken in zip(*looks, strict=True))
        own, other = own + case.count * mine, other + case.count * theirs
    return own / other


def _work(compute: Compute, inputs: Sequence[torch.Tensor]) -> Callable[[], object]:
    leaves = _leaves(inputs)
    slope = _slope(compute(*leaves), inputs[0].dtype)

    def work() -> None:
        for _ in range(_AT_ONCE):
            torch.autograd.grad(compute(*leaves), leaves, slope)

    return work


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return how long a work takes, the GPU's own included."""
    _wait_for(device)
    begin = time.perf_counter()
    work()
    _wait_for(device)
    return time.perf_counter() - begin


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
