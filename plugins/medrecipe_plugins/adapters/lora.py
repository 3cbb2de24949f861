"""The provider ``lora``: low-rank adapters through PEFT, stacked, frozen, continued or merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline_dsl.api import (
    LanguageModel,
    MergeProof,
    ModelIdentity,
    ModelShape,
    Provider,
    StackLayer,
    StackReport,
    hookimpl,
    option,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """LoRA (Hu et al. 2021), rsLoRA (Kalajdzievski 2023), DoRA (Liu et al. 2024); names as in PEFT."""

    r: int = option(16, ge=1, le=4096, doc="rank", known_as=("lora_r", "lora_rank", "rank"))
    alpha: int = option(
        32,
        ge=1,
        doc="lora_alpha: the update is scaled by alpha/r, with rsLoRA by alpha/sqrt(r)",
        known_as=("lora_alpha",),
    )
    dropout: float = option(
        0.05,
        ge=0.0,
        lt=1.0,
        doc="share of the adapter's inputs that training drops",
        known_as=("lora_dropout",),
    )
    use_rslora: bool = option(default=False, doc="scale by alpha/sqrt(r), which keeps large ranks learning")
    use_dora: bool = option(
        default=False, doc="learn the magnitude of the weights apart; not above other adapters"
    )
    target_modules: tuple[str, ...] | Literal["all-linear"] | None = option(
        None,
        doc="names of linear layers, or all-linear; without it the attention projections of the architecture",
        known_as=("lora_target_modules", "lora_target"),
    )
    rank_pattern: Mapping[str, int] | None = option(
        None, doc="ranks that differ from r, by a pattern of module names"
    )
    alpha_pattern: Mapping[str, int] | None = option(
        None, doc="alphas that differ, by a pattern of module names"
    )
    init: Literal[True, "gaussian", "olora", "pissa"] = option(
        default=True,
        doc="init_lora_weights: first weights; olora and pissa are saved as plain LoRA of twice the rank",
        known_as=("init_lora_weights",),
    )
    train_new_tokens: Literal[False, True, "input"] = option(
        default=False,
        doc="train the rows of the tokens that the model adds as well; input: in the embeddings alone",
    )
    vision_tower: bool = option(
        default=False,
        doc="put adapters into the vision tower of a multimodal model too; text alone teaches them nothing",
    )
    bias: Literal["none"] = option("none", doc="which biases are trained")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """One kind of LoRA adapter. See ``pipeline_dsl.api.Adapter``."""

    options: Options

    def count(self, shape: ModelShape) -> int:
        """Return the number of parameters that it trains.

        r * (d_in + d_out) a module, + d_out with DoRA; the width of the embeddings for each added token,
        twice where the output layer has rows of its own.
        """
        from medrecipe_plugins.adapters import _targets

        return _targets.count(self.options, shape)

    def missed_layers(self, layers: Sequence[str]) -> tuple[str, ...]:
        """Return the target modules that are not among linear layers, by the last part of their names."""
        wanted = self.options.target_modules
        names = wanted if isinstance(wanted, tuple) else ()
        return tuple(name for name in names if name.rpartition(".")[2] not in layers)

    def verify_stack(self, layers: Sequence[StackLayer]) -> None:
        """Raise ModelError for adapters that cannot be active together."""
        from medrecipe_plugins.adapters import _together

        _together.verify(layers)

    def attach(self, model: LanguageModel, layers: Sequence[StackLayer]) -> StackReport:
        """Put a stack on a freshly loaded model, or raise ModelError."""
        from medrecipe_plugins.adapters._noise import quiet_import

        with quiet_import():
            from medrecipe_plugins.adapters import _lora
        return _lora.attach(model, layers)

    def foundation(self, layers: Sequence[StackLayer], base: ModelIdentity) -> str:
        """Return what has to be done to a base before a finished stack is put on it, "" for nothing.

        In 32 bits merged layers can stay factors, which differ from merged weights by 1e-7. In 16 bits
        merging rounded the weights, and what was trained above knows them so: they are merged again. Stacks
        with DoRA or trained rows of tokens are on a base of their own.
        """
        from medrecipe_plugins.adapters._noise import quiet_import

        with quiet_import():
            from medrecipe_plugins.adapters import _sharing
        return _sharing.foundation(layers, base)

    def attach_several(self, model: LanguageModel, stacks: Mapping[str, Sequence[StackLayer]]) -> None:
        """Put finished stacks of one foundation on a freshly loaded model, or raise ModelError."""
        from medrecipe_plugins.adapters._noise import quiet_import

        with quiet_import():
            from medrecipe_plugins.adapters import _sharing
        _sharing.attach_several(model, stacks)

    def fold(self, model: LanguageModel, layers: Sequence[StackLayer]) -> MergeProof:
        """Fold a whole finished stack into the weights of a freshly loaded model, with a proof."""
        from medrecipe_plugins.adapters._noise import quiet_import

        with quiet_import():
            from medrecipe_plugins.adapters import _folding
        return _folding.fold(model, layers)

    def concatenate(self, model: LanguageModel, layers: Sequence[StackLayer], folder: Path) -> None:
        """Write a whole finished stack as one adapter for the untouched base, or raise ModelError."""
        from medrecipe_plugins.adapters._noise import quiet_import

        with quiet_import():
            from medrecipe_plugins.adapters import _folding
        _folding.concatenate(model, layers, folder)

    def save(self, model: LanguageModel, name: str, folder: Path) -> None:
        """Write one attached adapter in PEFT's layout; GuardError where it is broken or learned nothing."""
        from medrecipe_plugins.adapters._noise import quiet_import

        with quiet_import():
            from medrecipe_plugins.adapters import _saving
        _saving.save(model, name, folder)


@hookimpl
def medrecipe_adapters() -> Sequence[Provider]:
    """Offer ``lora``."""
    return [
        Provider(
            name="lora",
            summary="low-rank adapters (LoRA, rsLoRA, DoRA) through PEFT",
            factory=lambda options: Lora(options=options),
            options=Options,
        )
    ]
