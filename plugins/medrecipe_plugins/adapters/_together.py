"""Which adapters cannot be active together. Without torch."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_dsl.api import ModelError, StackLayer


def verify(layers: Sequence[StackLayer]) -> None:
    """Raise ModelError for a stack of this provider's adapters that cannot be built, by their options."""
    active = [layer for layer in layers if layer.role != "merge"]
    refuse_dora([x.name for x in active if x.adapter.options.use_dora], len(active))
    refuse_rows([x.name for x in active if x.adapter.options.train_new_tokens])


def refuse_dora(dora: Sequence[str], active: int) -> None:
    """DoRA's norm is of base + its own update: beside another active adapter PEFT computes something else."""
    if dora and active > 1:
        raise ModelError(
            f"the DoRA adapter {dora[0]} cannot be active beside other adapters",
            help="merge the adapters below it, or leave use_dora out",
            code="MR465",
        )


def refuse_rows(names: Sequence[str]) -> None:
    """PEFT keeps whole rows of tokens, not changes to them: one active adapter can have them."""
    if len(names) > 1:
        raise ModelError(
            f"the adapters {names[0]} and {names[1]} both train the rows of added tokens, and PEFT has room "
            "for one such adapter among those that are active",
            help=f"merge {names[0]}, or leave train_new_tokens out of {names[1]}",
            code="MR475",
        )
