"""The loss at label positions alone, without ever holding logits of more than a few of them."""

from __future__ import annotations

from typing import Any

import torch

_LOGITS = 2**22
"""Numbers in one chunk of logits: 16 MiB in float32."""


class LabelLoss(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed
    """Sum of -log p(label) through a frozen output layer, with its gradient taken in the forward pass.

    The output layer is frozen, so that nothing but the gradient of the hidden states is needed: (softmax -
    one-hot) W, a chunk of positions at a time. Memory is that of one chunk, whatever the vocabulary.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        labels: torch.Tensor,
        softcap: float | None,
    ) -> torch.Tensor:
        """Return the loss in float32.

        Args:
            ctx: keeps the gradient.
            hidden: (labels, width), of any number format.
            weight: of the output layer, (vocabulary, width).
            bias: (vocabulary,), or None.
            labels: token ids, (labels,).
            softcap: logits z become c tanh(z / c) (Gemma 2); None leaves them.
        """
        rows = max(1, _LOGITS // weight.shape[0])
        total = torch.zeros((), device=hidden.device)
        gradient = torch.empty_like(hidden)
        for at in range(0, len(labels), rows):
            taken = hidden[at : at + rows]
            logits = torch.nn.functional.linear(taken, weight, bias).float()
            loss, slope = _loss_and_slope(logits, labels[at : at + rows, None], softcap)
            total += loss
            gradient[at : at + rows] = slope.to(weight.dtype) @ weight
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
        """Return the gradient of the hidden states, scaled by that of the loss."""
        (gradient,) = ctx.saved_tensors
        return gradient * slope.to(gradient.dtype), None, None, None, None


def _loss_and_slope(
    logits: torch.Tensor, labels: torch.Tensor, softcap: float | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the summed loss of a chunk and its derivative by the logits before capping, in their place."""
    bent = None
    if softcap is not None:
        bent = torch.tanh(logits / softcap)
        logits = bent * softcap
    norm = logits.logsumexp(-1, keepdim=True)
    loss = (norm - logits.gather(1, labels)).sum()
    slope = logits.sub_(norm).exp_()
    slope.scatter_add_(1, labels, torch.full_like(labels, -1.0, dtype=slope.dtype))
    return loss, slope if bent is None else slope.mul_(1 - bent.square())
