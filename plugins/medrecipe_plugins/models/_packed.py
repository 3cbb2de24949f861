"""A model's forward over packs, where the model is one that packs know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from medrecipe_plugins.models._last_layer import last_layer_at_labels
from medrecipe_plugins.models._packed_attention import Attention, by_calls, packed_attention
from medrecipe_plugins.models._packs import Pack, packs_of
from medrecipe_plugins.models._positions import turning_point
from pipeline_dsl.api import Packing, Prepared

_LOGITS = 2**22
"""Numbers in one chunk of logits: 16 MiB in float32."""
_SCALES = ("logit_scale", "logits_scaling")
"""Names that models have for a factor of their logits; some multiply by it and others divide."""
_EXACT, _ROUNDED = 1e-4, 2e-2
"""Relative difference of losses that the order of sums may make, in 32 bits and in fewer."""
_EXACT_EACH = 1e-3
"""The same of a single label's, in 32 bits; differences of several may cancel out."""


class PackedForward:
    """Hidden states and logits of packs, (tokens, width) and (tokens, vocabulary).

    Args:
        module: a causal language model of transformers, with adapters or without.
        device: where it is.
        attention: how that of packs is computed.
    """

    def __init__(self, module: Any, device: str, attention: Attention = by_calls) -> None:
        self.base = _base_of(module)
        self.head = self.base.get_output_embeddings()
        self.softcap = getattr(self.base.config.get_text_config(), "final_logit_softcapping", None)
        self._device = device
        self._attention = attention
        self.decoder = self.base.get_decoder()
        self._scale = _scale_of_logits(self.base, self.head, device)
        self._as_prepared = torch.zeros(1, 1, 1, 1, device=device)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Set the model to packs; forwards without one compute what they did before."""
        with packed_attention(self.base), last_layer_at_labels(self.decoder):
            yield

    def packs(self, samples: Sequence[Prepared], budget: int, *, share: bool) -> Iterator[Pack]:
        """Cut samples into packs on the model's device."""
        return packs_of(samples, budget, self._device, share=share)

    def hidden(self, pack: Pack) -> torch.Tensor:
        """Return what the output layer is given at the places of a pack's labels, (labels, width)."""
        states: torch.Tensor = self.decoder(
            input_ids=pack.ids,
            position_ids=pack.positions,
            attention_mask=self._as_prepared,
            use_cache=False,
            pack=pack.attention,
            attention=self._attention,
        ).last_hidden_state[0]
        taken = states.index_select(0, pack.places)
        return taken if self._scale == 1 else taken * self._scale

    def logits(self, pack: Pack) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield logits at the places of labels in float32, (some labels, vocabulary), and of which labels."""
        hidden = self.hidden(pack)
        rows = max(1, _LOGITS // self.head.weight.shape[0])
        for at in range(0, len(hidden), rows):
            logits: torch.Tensor = self.head(hidden[at : at + rows]).float()
            if self.softcap is not None:
                logits = self.softcap * torch.tanh(logits / self.softcap)
            yield slice(at, at + rows), logits

    def losses(self, pack: Pack) -> torch.Tensor:
        """Return -log p of each of a pack's labels in float64, (labels,)."""
        found = [
            torch.nn.functional.cross_entropy(logits, pack.labels[which], reduction="none").double()
            for which, logits in self.logits(pack)
        ]
        return torch.cat(found)

    def disagreement(self, samples: Sequence[Prepared]) -> str | None:
        """Return by how much packs and the model's own forward disagree on samples; None: not at all.

        Whatever a model does that packs do not know of shows here, before anything goes by them: another
        loss, or an error of the model's own code, which nobody wrote with packs in mind. To be asked in eval
        mode and without gradients.
        """
        try:
            mine, order = self._packed_losses(samples)
        except Exception as error:  # noqa: BLE001 - which errors a model's code has for packs, nobody knows
            return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        plain = torch.cat([self._plain_losses(sample) for sample in order])
        whole = next(self.base.parameters()).dtype == torch.float32
        if not _near(mine.sum(), plain.sum(), _EXACT if whole else _ROUNDED):
            return f"a loss of {float(mine.sum()):.6g} instead of {float(plain.sum()):.6g}"
        if whole and not _near(mine, plain, _EXACT_EACH):
            worst = int((mine - plain).abs().argmax())
            return f"a token's loss of {float(mine[worst]):.6g} instead of {float(plain[worst]):.6g}"
        return None

    def _packed_losses(self, samples: Sequence[Prepared]) -> tuple[torch.Tensor, list[Prepared]]:
        """Return the losses of all labels, (labels,), and the samples in their order."""
        with self.working():
            packs = list(self.packs(samples, 1 << 20, share=True))
            losses = torch.cat([self.losses(pack) for pack in packs])
        return losses, [sample for pack in packs for sample in pack.samples]

    def _plain_losses(self, sample: Prepared) -> torch.Tensor:
        ids = torch.tensor([list(sample.ids)], device=self._device)
        logits = (
            self.base(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0].float()
        )
        labels = ids[0, sample.start :]
        found = torch.nn.functional.cross_entropy(logits[sample.start - 1 : -1], labels, reduction="none")
        return found.double()


def packing(module: Any) -> Packing:
    """Return what is known of a model, with weights or without, that speaks against packs."""
    base = _base_of(module)
    if not hasattr(base, "get_decoder") or not hasattr(base, "set_attn_implementation"):
        return Packing(obstacle="it is no language model that transformers knows")
    config = base.config.get_text_config()
    if type(base.get_output_embeddings()) is not torch.nn.Linear:
        return Packing(obstacle="its output layer is no plain linear layer")
    others = set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
    if others:
        return Packing(obstacle=f"it has layers of {', '.join(sorted(others))}")
    if getattr(config, "attn_logit_softcapping", None):
        return Packing(obstacle="its attention caps logits")
    return Packing(longest=turning_point(config))


def _near(found: torch.Tensor, expected: torch.Tensor, share: float) -> bool:
    gaps = (found - expected).abs()
    return bool((gaps <= share * expected.abs().clamp_min(1.0)).all())


def _scale_of_logits(base: Any, head: torch.nn.Module, device: str) -> float:
    """Return what a model multiplies the outputs of its output layer by, seen on a few tokens."""
    config = base.config.get_text_config()
    if not any(getattr(config, name, None) for name in _SCALES):
        return 1.0
    outputs: list[torch.Tensor] = []
    ids = torch.arange(1, 9, device=device)[None]
    handle = head.register_forward_hook(lambda *told: outputs.append(told[-1]))
    try:
        with torch.no_grad():
            logits = base(input_ids=ids, use_cache=False).logits
    finally:
        handle.remove()
    own = outputs[0].double()
    return float((own * logits.double()).sum() / own.square().sum())


def _base_of(module: Any) -> Any:
    return module.get_base_model() if hasattr(module, "get_base_model") else module
