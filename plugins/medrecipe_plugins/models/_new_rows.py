"""Rows of added tokens: each starts as the mean of the rows of the pieces that its text was before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def resize(module: Any, rows: int) -> None:
    """Give a model as many embedding rows; one that has them keeps what it has."""
    if rows > module.get_input_embeddings().num_embeddings:
        module.resize_token_embeddings(rows, mean_resizing=False)


def fill(module: Any, ids: range, pieces: Sequence[Sequence[int]]) -> None:
    """Make the rows of new ids, in the embeddings and in the output layer (which may share them).

    Means are taken in fp32 of the old rows and rounded once.
    """
    resize(module, ids.stop)
    inputs, output = module.get_input_embeddings(), module.get_output_embeddings()
    tables = [inputs.weight]
    if output.weight is not inputs.weight:
        tables += [output.weight] + ([output.bias] if output.bias is not None else [])
    with torch.no_grad():
        for table in tables:
            for new, old in zip(ids, pieces, strict=True):
                table[new] = table[list(old)].float().mean(0).to(table.dtype)
