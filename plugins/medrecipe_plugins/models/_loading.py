"""Load a checkpoint into torch, and refuse it unless every tensor found its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from medrecipe_plugins.models import _checkpoint
from medrecipe_plugins.models._checkpoint import Checkpoint
from medrecipe_plugins.models._encoding import encode, marks_of
from medrecipe_plugins.models._language_model import TorchCausalLM
from medrecipe_plugins.models._machine import DTYPES, choose_device, choose_dtype
from medrecipe_plugins.models._quiet import quiet_libraries
from pipeline_dsl.api import LoadRequest, MachineError, ModelError, Sample

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


def load(checkpoint: Checkpoint, request: LoadRequest, *, dtype: str, attention: str) -> TorchCausalLM:
    """Load a model and its tokenizer, or raise ModelError or MachineError."""
    device = choose_device(request.device)
    dtype = choose_dtype(dtype, device)
    _checkpoint.verify(checkpoint, dtype)
    with quiet_libraries():
        module = _load_module(checkpoint, device, dtype, attention)
        tokenizer = load_tokenizer(checkpoint)
    _refuse_wide_tokenizer(checkpoint, tokenizer, module.get_input_embeddings().num_embeddings)
    module.eval()
    return TorchCausalLM(
        module=module,
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        identity=_checkpoint.identity(checkpoint),
        seed=request.seed,
    )


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
    """Return the tokenizer, or raise ModelError."""
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


def _load_module(checkpoint: Checkpoint, device: str, dtype: str, attention: str) -> Any:
    config = load_config(checkpoint)
    try:
        module, info = model_class(config).from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=DTYPES[dtype],
            attn_implementation=attention,
            device_map={"": device} if device != "cpu" else None,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except torch.OutOfMemoryError as error:
        raise MachineError(
            f"{checkpoint.name} does not fit into the memory of {device}", code="MR602"
        ) from error
    except _UNREADABLE as error:
        raise _unreadable(checkpoint, "weights", error) from error
    _refuse_misfits(checkpoint, info)
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
        code="MR456",
        place=str(checkpoint.folder),
    )
