"""Load a checkpoint into torch, and refuse it unless every tensor found its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from medrecipe_plugins.models import _checkpoint, _extension, _memory, _new_rows, _quantisation
from medrecipe_plugins.models._checkpoint import Checkpoint
from medrecipe_plugins.models._encoding import encode, marks_of, texts_of
from medrecipe_plugins.models._language_model import TorchCausalLM
from medrecipe_plugins.models._machine import DTYPES, choose_device, choose_dtype
from medrecipe_plugins.models._quantisation import Quantisation
from medrecipe_plugins.models._quiet import quiet_libraries
from pipeline_dsl.api import Fertility, LoadRequest, MachineError, ModelError, ModelIdentity, Sample

_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
)
"""What transformers raises on files that are not what they should be."""
_ATTENTION_HELP = "write attn_implementation: auto, or leave it out: the model has another"


def load(
    checkpoint: Checkpoint,
    request: LoadRequest,
    *,
    dtype: str,
    attention: str | None,
    quantisation: Quantisation | None = None,
) -> TorchCausalLM:
    """Load a model and its tokenizer, or raise ModelError or MachineError.

    Args:
        checkpoint: the files.
        request: where to.
        dtype: number format; ``auto`` is what the device is faster in.
        attention: as transformers names it; None leaves the choice to the model.
        quantisation: of its linear layers.
    """
    device = choose_device(request.device)
    base = identity(checkpoint, device, dtype=dtype, quantisation=quantisation)
    _checkpoint.verify(checkpoint, base.dtype, base.compute_dtype)
    _memory.start_counting(device)
    with quiet_libraries():
        module = _load_module(checkpoint, device, attention, base, quantisation)
        tokenizer = load_base_tokenizer(checkpoint)
    _refuse_wide_tokenizer(checkpoint, tokenizer, module.get_input_embeddings().num_embeddings)
    new_ids, pieces = _extension.extend(tokenizer, checkpoint.added_tokens, checkpoint.name)
    if new_ids:
        _extension.refuse_reserved(module.config, new_ids, checkpoint.name)
        with quiet_libraries():
            _new_rows.fill(module, new_ids, pieces)
    module.eval()
    return TorchCausalLM(
        module=module,
        tokenizer=tokenizer,
        device=device,
        dtype=base.dtype,
        identity=base,
        seed=request.seed,
        new_tokens=dict(zip(new_ids, checkpoint.added_tokens, strict=True)),
    )


def identity(
    checkpoint: Checkpoint, device: str, *, dtype: str, quantisation: Quantisation | None
) -> ModelIdentity:
    """Return what makes it this base on a device: ``auto`` is what it is loaded in there.

    Raises:
        ModelError: a file is missing or not readable.
        MachineError: the device does not compute in the asked number format, or bitsandbytes is missing.
    """
    files = _checkpoint.identity(checkpoint)
    dtype = choose_dtype(dtype, device)
    if quantisation is None:
        return replace(files, dtype=dtype)
    return replace(
        files,
        dtype=dtype,
        quantisation=quantisation.kind,
        double_quant=quantisation.double_quant,
        compute_dtype=_compute_dtype(quantisation, dtype, device),
        quantised_by=_quantisation.library(),
    )


def _compute_dtype(quantisation: Quantisation, dtype: str, device: str) -> str:
    if quantisation.kind == "int8":
        return ""
    wanted = quantisation.compute_dtype
    return dtype if wanted == "auto" else choose_dtype(wanted, device)


def load_config(checkpoint: Checkpoint) -> Any:
    """Return the configuration, or raise ModelError."""
    try:
        return AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True, trust_remote_code=False)
    except _UNREADABLE as error:
        raise _unreadable(checkpoint, "configuration", error) from error


def model_class(config: Any) -> Any:
    """Return the auto class of an architecture: of text, or of images and text."""
    return (
        AutoModelForCausalLM if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING else AutoModelForImageTextToText
    )


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """Return the tokenizer with the tokens that a recipe adds, or raise ModelError."""
    tokenizer = load_base_tokenizer(checkpoint)
    _extension.extend(tokenizer, checkpoint.added_tokens, checkpoint.name)
    return tokenizer


def load_base_tokenizer(checkpoint: Checkpoint) -> Any:
    """Return the tokenizer as its files have it, or raise ModelError."""
    try:
        return AutoTokenizer.from_pretrained(
            checkpoint.folder, local_files_only=True, trust_remote_code=False
        )
    except _UNREADABLE as error:
        raise _unreadable(checkpoint, "tokenizer", error) from error


def count_tokens(checkpoint: Checkpoint, samples: Sequence[Sample]) -> int:
    """Number of tokens of prompts, completions and end marks, by the tokenizer alone."""
    with quiet_libraries():
        tokenizer = load_tokenizer(checkpoint)
    marks = marks_of(tokenizer, checkpoint.name)
    return sum(len(encode(tokenizer, marks, sample)[0]) for sample in samples)


def fertility(checkpoint: Checkpoint, samples: Sequence[Sample]) -> Fertility | None:
    """Tokens that prompts and completions become with and without added tokens; None where none are added."""
    if not checkpoint.added_tokens:
        return None
    with quiet_libraries():
        base, extended = load_base_tokenizer(checkpoint), load_tokenizer(checkpoint)
    return _extension.fertility(base, extended, (text for sample in samples for text in texts_of(sample)))


def _load_module(
    checkpoint: Checkpoint,
    device: str,
    attention: str | None,
    base: ModelIdentity,
    quantisation: Quantisation | None,
) -> Any:
    config = load_config(checkpoint)
    compute = DTYPES.get(base.compute_dtype, torch.float16)
    packed = _quantisation.loading_config(quantisation, compute) if quantisation else None
    try:
        module, info = model_class(config).from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=DTYPES[base.dtype],
            quantization_config=packed,
            attn_implementation=attention,
            device_map={"": device} if packed or device != "cpu" else None,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except torch.OutOfMemoryError as error:
        raise MachineError(
            f"{checkpoint.name} does not fit into the memory of {device}", code="MR602"
        ) from error
    except ImportError as error:
        raise _quantisation.missing(str(error)) from error
    except _UNREADABLE as error:
        raise _unreadable(checkpoint, "weights", error) from error
    _refuse_misfits(checkpoint, info)
    _quantisation.hold_layout(module)
    return module


def _refuse_misfits(checkpoint: Checkpoint, info: dict[str, Any]) -> None:
    """Raise ModelError where a tensor is missing, left over or of another shape."""
    for what in ("missing_keys", "mismatched_keys", "unexpected_keys", "error_msgs", "conversion_errors"):
        names = sorted(str(name[0] if isinstance(name, tuple) else name) for name in info.get(what) or ())
        if names:
            kind = what.partition("_")[0]
            raise ModelError(
                f"the weights of {checkpoint.name} do not fit its configuration: "
                f"{len(names)} {kind}, first {names[0]}",
                help="config.json and the safetensors files are of different models",
                code="MR457",
                place=str(checkpoint.folder),
            )


def _refuse_wide_tokenizer(checkpoint: Checkpoint, tokenizer: Any, rows: int) -> None:
    """Raise ModelError where ordinary tokens have no embedding row (a few special ones may lack theirs)."""
    special = set(tokenizer.added_tokens_decoder)
    beyond = [token for token, i in tokenizer.get_vocab().items() if i >= rows and i not in special]
    if beyond:
        raise ModelError(
            f"the tokenizer of {checkpoint.name} has {len(beyond)} tokens over the {rows} embedding rows",
            help="its tokenizer.json and its weights are of different models",
            code="MR459",
        )


def _unreadable(checkpoint: Checkpoint, what: str, error: BaseException) -> ModelError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    return ModelError(
        f"the {what} of {checkpoint.name} cannot be read: {reason}",
        help=_ATTENTION_HELP if "attn_implementation" in reason else None,
        code="MR456",
        place=str(checkpoint.folder),
    )
