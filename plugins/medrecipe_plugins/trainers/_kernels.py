"""How a training in packs computes what there is more than one way for: chosen by trial, on GPUs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from medrecipe_plugins.models import _liger
from medrecipe_plugins.models._glus import Activation, Product, multiplied
from medrecipe_plugins.models._norms import RmsNorm, rms_norm
from medrecipe_plugins.models._packed_attention import Attention, by_calls
from medrecipe_plugins.models._packs import Pack
from medrecipe_plugins.models._proof import Case, Clock, judge
from medrecipe_plugins.models._watching import Uses, watch
from medrecipe_plugins.trainers import _seals
from medrecipe_plugins.trainers._micro import wants_memory

FILE = "kernels.json"
Way = TypeVar("Way")
Choice = Mapping[str, bool]
"""Of each kind of computation, whether another way is used than the one that is right on every machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """What a training step computes by. As they stand, those that are right on every machine."""

    attention: Attention = by_calls
    norm: RmsNorm = rms_norm
    product: Product | None = None
    """Of gated layers; None: as the model computes it."""

    def write(self, folder: Path) -> None:
        """Keep beside the checkpoints of a training by what it computes."""
        own = Kernels()
        choice = {f.name: getattr(self, f.name) is not getattr(own, f.name) for f in fields(self)}
        _seals.write_whole(folder / FILE, json.dumps(choice) + "\n")


def earlier(folder: Path) -> Choice | None:
    """Return by what the training in a folder computes; None where it has not chosen yet."""
    with suppress(OSError, ValueError):
        found = json.loads((folder / FILE).read_text("utf-8"))
        return found if isinstance(found, dict) else None
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """Makers of other ways, which may raise whatever they like; None where there is nothing to try."""

    attention: Callable[[], Attention] | None = None
    norm: Callable[[], RmsNorm] | None = None
    product: Callable[[Activation], Product | None] | None = None


def offers() -> Offers:
    """Return what there is to try on a GPU: flex attention, and `liger-kernel` where it is installed."""
    if not _liger.installed():
        return Offers(attention=_flex_attention)
    return Offers(attention=_flex_attention, norm=_liger.norm, product=_liger.product)


def _flex_attention() -> Attention:
    from medrecipe_plugins.models._flex_attention import FlexAttention

    return FlexAttention()


_NAMES = {
    "attention": "flex attention",
    "norm": "the RMS norm of liger-kernel",
    "product": "the GLU of liger-kernel",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """Tries what is offered to a model.

    Args:
        uses: what the model computes, on packs of different lengths: what is made for one has to serve all.
        say: is told of each way what became of it, and why.
        clock: by what is measured; without one, by the time it takes.
        before: what a training that goes on has chosen: it is not asked again what is faster, so that the
            same numbers come out.
    """

    uses: Uses
    say: Callable[[str], None]
    clock: Clock | None = None
    before: Choice | None = None

    def chosen(self, offered: Offers) -> Kernels:
        """Return what is as near to the truth as what a model has, and faster; else what it has."""
        own = Kernels()
        return Kernels(
            attention=self._tried("attention", offered.attention, self._attentions) or own.attention,
            norm=self._tried("norm", offered.norm, self._norms) or own.norm,
            product=self._tried("product", self._product(offered), self._glus) or own.product,
        )

    def _tried(
        self, kind: str, make: Callable[[], Way] | None, cases: Callable[[Way], Sequence[Case]]
    ) -> Way | None:
        if make is None or (self.before is not None and not self.before.get(kind, False)):
            return None
        made: list[Way] = []

        def of_it() -> Sequence[Case]:
            made.append(make())
            return cases(made[0])

        verdict = judge(of_it, self.clock, faster=self.before is None)
        self.say(f"{_NAMES[kind]} is {'used' if verdict.good else 'not used'}: {verdict.reason}")
        return made[0] if verdict.good else None

    def _attentions(self, other: Attention) -> Sequence[Case]:
        found = []
        for use in self.uses.attentions.values():
            pack, named = use.what
            own, its = (partial(way, pack=pack, **named) for way in (by_calls, other))
            found.append(Case(own=own, other=its, inputs=use.inputs, count=use.count))
        return found

    def _norms(self, other: RmsNorm) -> Sequence[Case]:
        return [
            Case(own=use.what.by(rms_norm), other=use.what.by(other), inputs=use.inputs, count=use.count)
            for use in self.uses.norms.values()
        ]

    def _product(self, offered: Offers) -> Callable[[], Product | None] | None:
        used = [use.what.activation for use in self.uses.glus.values()]
        return partial(offered.product, used[0]) if offered.product is not None and used else None

    def _glus(self, other: Product | None) -> Sequence[Case]:
        found: list[Case] = []
        if other is None:
            return found
        for use in self.uses.glus.values():
            own, its = (partial(multiplied, way) for way in (use.what.plain, other))
            found.append(Case(own=own, other=its, inputs=use.inputs, count=use.count))
        return found


def choose(
    module: Any,
    device: str,
    packs: Sequence[Pack],
    say: Callable[[str], None],
    before: Choice | None = None,
) -> Kernels:
    """Return what a training on a device computes by: on a GPU it is tried, on a CPU there is no choice.

    Args:
        module: the model, as it is trained.
        device: where it is.
        packs: real ones, the largest first.
        say: is told what became of each trial.
        before: what it has chosen already, where it goes on.
    """
    if not device.startswith("cuda") or not packs:
        return Kernels()
    try:
        uses = watch(module, device, packs)
    except RuntimeError as error:
        if not wants_memory(error):
            raise
        say("no other kernels are tried: memory does not suffice for the first packs")
        return Kernels()
    offered = offers()
    if _drops_attention(module):
        say("flex attention is not used: this model's attention has dropout")
        offered = replace(offered, attention=None)
    return Trial(uses, say, before=before).chosen(offered)


def _drops_attention(module: Any) -> bool:
    return bool(getattr(module.config.get_text_config(), "attention_dropout", 0.0))
