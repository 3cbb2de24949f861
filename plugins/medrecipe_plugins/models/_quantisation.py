"""Bases of 4 and 8 bits through bitsandbytes: what is asked for, how it is loaded, and what must hold of it.

Linear layers are quantised; embeddings, norms and the output layer, tied to the embeddings or not, keep the
model's number format. Of PEFT's ``prepare_model_for_kbit_training`` nothing is needed here: adapters freeze
the base themselves and are trained in 32 bits; our gradient checkpointing (non-reentrant) asks no input to
require a gradient; norms compute in 32 bits in the models' own code, so that casting every 16-bit weight to
32 bits would cost memory (2.7 GB for the embeddings of Gemma 3 4B) and make training another model than the
one that is used later.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pipeline_dsl.api import MachineError, ModelError

if TYPE_CHECKING:
    import torch

Kind = Literal["nf4", "fp4", "int8"]
Compute = Literal["auto", "float32", "bfloat16", "float16"]
INSTALL = "pip install 'bitsandbytes>=0.50'"
_REPACKS = "support_avx512bf16_for_cpu"
"""The switch of a layer of bitsandbytes for what ``hold_layout`` prevents."""


class Asked(Protocol):
    """The options of a provider that are about quantisation."""

    @property
    def quantization(self) -> Kind | None:
        """How the linear layers are kept."""

    @property
    def double_quant(self) -> bool | None:
        """Whether scales are quantised; None: not said."""

    @property
    def compute_dtype(self) -> Compute:
        """In which 4-bit weights are multiplied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantisation:
    """How the linear layers of a base are kept."""

    kind: Kind
    double_quant: bool
    """Whether the scales of 4-bit weights are quantised themselves: 0.4 bits a weight less."""
    compute_dtype: Compute
    """In which 4-bit weights are multiplied; ``auto`` is the number format of the rest of the model."""


def asked(options: Asked) -> Quantisation | None:
    """Return what options ask for, or raise ModelError (MR476) where they contradict each other."""
    if options.quantization in (None, "int8"):
        for name, given in (
            ("double_quant", options.double_quant is not None),
            ("compute_dtype", options.compute_dtype != "auto"),
        ):
            if given:
                raise ModelError(
                    f"{name} is about 4-bit weights, but this base has "
                    + ("8 bits" if options.quantization else "none"),
                    help=f"write quantization: nf4, or leave {name} out",
                    code="MR476",
                    place=name,
                )
    if options.quantization is None:
        return None
    return Quantisation(
        kind=options.quantization,
        double_quant=options.quantization != "int8" and options.double_quant is not False,
        compute_dtype=options.compute_dtype,
    )


def require(quantisation: Quantisation | None) -> None:
    """Raise MachineError (MR603) where bitsandbytes is needed and not installed."""
    if quantisation is not None and importlib.util.find_spec("bitsandbytes") is None:
        raise missing("it is not installed")


def library() -> str:
    """Return ``bitsandbytes 0.50.2``, or raise MachineError (MR603) where it is not installed."""
    try:
        return f"bitsandbytes {importlib.metadata.version('bitsandbytes')}"
    except importlib.metadata.PackageNotFoundError as error:
        raise missing("it is not installed") from error


def missing(why: str) -> MachineError:
    """What to say where bitsandbytes cannot be used."""
    return MachineError(
        f"a quantised base needs bitsandbytes: {why}",
        help=f"install it with {INSTALL}, or leave quantization out",
        code="MR603",
    )


def loading_config(quantisation: Quantisation, compute: torch.dtype) -> Any:
    """Return transformers' description of a quantisation; from now on bitsandbytes does not warn.

    It would report on an optional kernel at its import, and on each product of an 8-bit layer that
    activations are cast to float16, which is how LLM.int8() works (Dettmers et al. 2022).
    """
    from transformers import BitsAndBytesConfig

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if quantisation.kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=quantisation.kind,
        bnb_4bit_use_double_quant=quantisation.double_quant,
        bnb_4bit_compute_dtype=compute,
    )


def hold_layout(module: torch.nn.Module) -> None:
    """Keep 4-bit weights as they were packed, evaluated or not.

    On a CPU with AVX512-BF16, bitsandbytes 0.50 packs a weight anew for faster bfloat16 products when a layer
    is first used in eval mode. From then on the layer's products have no gradient, in training mode too
    (adapters below it learn nothing, without an error), its scales are rounded to bfloat16, and dequantising
    or saving it yields garbage. A layer has a switch for it, which is turned off here. Evaluations then take
    longer on such a CPU: 1.4 to 1.7 times in batches, several times for single tokens.
    """
    for part in module.modules():
        if hasattr(part, _REPACKS):
            setattr(part, _REPACKS, False)


def unpack(module: Any) -> None:
    """Give every packed layer the weights that its bits stand for, in the number format of the rest.

    In 4 bits they are what the layer multiplied with; in 8 bits too, but its inputs are no longer rounded.
    """
    from medrecipe_plugins.models._quiet import quiet_libraries

    with quiet_libraries():
        module.dequantize(dtype=module.dtype)


def real_size(parameter: torch.Tensor) -> int:
    """Return how many weights a parameter stands for: two of 4 bits are packed into one byte."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else int(state.shape.numel())


def is_quantised(module: torch.nn.Module) -> bool:
    """Return whether a model has weights of 4 or 8 bits."""
    marked = getattr(module, "quantization_method", None) is not None
    return marked or any(not p.is_floating_point() or p.element_size() == 1 for p in module.parameters())


def scales(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors by which packed weights get their meaning, by name; they are no parameters."""
    for name, part in module.named_modules():
        weight = dict(part.named_parameters(recurse=False)).get("weight")
        yield from _scales_of_4_bits(name, getattr(weight, "quant_state", None))
        for holder in (weight, getattr(part, "state", None)):
            rows = getattr(holder, "SCB", None)  # the first product moves them from the one to the other
            if rows is not None:
                yield f"{name}.SCB", rows


def _scales_of_4_bits(name: str, state: Any) -> Iterator[tuple[str, torch.Tensor]]:
    if state is None:
        return
    yield f"{name}.absmax", state.absmax
    if state.nested:
        yield f"{name}.offset", state.offset
        yield f"{name}.nested_absmax", state.state2.absmax
