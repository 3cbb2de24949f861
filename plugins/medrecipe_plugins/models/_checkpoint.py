"""A model's files: whether they are whole and safe, and what identifies them. Without torch."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from medrecipe_plugins.models._extension import extended_sha256
from pipeline_dsl.api import ModelError, ModelIdentity

_INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
_HEAD = 8
"""Bytes at the start of a safetensors file that give its header's length."""
_MAX_HEADER = 100_000_000
"""Bytes of a safetensors header that its own readers accept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model folder in the hub's layout, and what it is called."""

    folder: Path
    name: str
    revision: str = ""
    added_tokens: tuple[str, ...] = ()
    """Tokens that a recipe adds to the vocabulary."""


def read_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return ``config.json``, or raise ModelError."""
    return _read_json(checkpoint, "config.json")


def verify(checkpoint: Checkpoint, *dtypes: str) -> None:
    """Raise ModelError unless the files are there, whole, free of code, not quantised, and fit the dtypes."""
    config = read_config(checkpoint)
    refuse_remote_code(checkpoint, config)
    refuse_quantised(checkpoint, config)
    for dtype in dtypes:
        refuse_half_gemma(checkpoint, config, dtype)
    for path in weight_files(checkpoint):
        verify_safetensors(path)


def refuse_remote_code(checkpoint: Checkpoint, config: Mapping[str, Any]) -> None:
    """Raise ModelError where the model would run Python code of its own."""
    configs = {"config.json": config}
    if (checkpoint.folder / "tokenizer_config.json").is_file():
        configs["tokenizer_config.json"] = _read_json(checkpoint, "tokenizer_config.json")
    for name, content in configs.items():
        if content.get("auto_map"):
            raise ModelError(
                f"{checkpoint.name} wants to run Python code of its own (auto_map in {name})",
                help="use a model whose architecture transformers has built in; remote code is never run",
                code="MR454",
                place=str(checkpoint.folder / name),
            )


def refuse_half_gemma(checkpoint: Checkpoint, config: Mapping[str, Any], dtype: str) -> None:
    """Raise ModelError for Gemma 3 in float16, whose activations overflow it."""
    if dtype == "float16" and str(config.get("model_type", "")).startswith("gemma3"):
        raise ModelError(
            f"{checkpoint.name} is a Gemma 3 model, whose activations overflow float16",
            help="write dtype: bfloat16, or float32 where the machine lacks bfloat16",
            code="MR455",
        )


def refuse_quantised(checkpoint: Checkpoint, config: Mapping[str, Any]) -> None:
    """Raise ModelError for files whose weights are quantised: recipes say how a base is kept."""
    found = config.get("quantization_config")
    if found:
        method = found.get("quant_method") if isinstance(found, Mapping) else None
        raise ModelError(
            f"the weights of {checkpoint.name} are quantised already" + (f" ({method})" if method else ""),
            help="name the model that they were made from, and write quantization: nf4",
            code="MR477",
            place=str(checkpoint.folder / "config.json"),
        )


def weight_files(checkpoint: Checkpoint) -> list[Path]:
    """Return the safetensors files in order of their names, or raise ModelError."""
    folder = checkpoint.folder
    if (folder / _INDEX).is_file():
        names = sorted(set(_read_json(checkpoint, _INDEX).get("weight_map", {}).values()))
    else:
        names = ["model.safetensors"] if (folder / "model.safetensors").is_file() else []
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"{checkpoint.name} lacks the weight file {missing[0]}",
            help="fetch the model again",
            place=str(folder),
        )
    if not names:
        _refuse_without_safetensors(
            checkpoint, [p.name for pattern in _PICKLES for p in folder.glob(pattern)]
        )
    return [folder / name for name in names]


def has_tokenizer(checkpoint: Checkpoint) -> bool:
    """Return whether a file that makes a tokenizer is there."""
    return any(
        (checkpoint.folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")
    )


def _refuse_without_safetensors(checkpoint: Checkpoint, pickles: Sequence[str]) -> None:
    if pickles:
        raise ModelError(
            f"{checkpoint.name} has its weights only as {min(pickles)}, which can run code when read",
            help="convert it to safetensors, or use a revision that has them",
            code="MR453",
            place=str(checkpoint.folder),
        )
    raise ModelError(
        f"{checkpoint.name} has no weights",
        help="a folder with model.safetensors is needed",
        place=str(checkpoint.folder),
    )


def verify_safetensors(path: Path) -> None:
    """Raise ModelError (MR456) unless the file is as long as its header says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
        length = struct.unpack("<Q", head)[0] if len(head) == _HEAD else -1
        if not 0 < length <= min(size - _HEAD, _MAX_HEADER):
            raise _damaged(path, "its header is not readable")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise _damaged(path, "its header is not readable") from error
    try:
        end = max(
            (entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0
        )
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise _damaged(path, "its header is not readable") from error
    if size != _HEAD + length + end:
        raise _damaged(path, f"it has {size} bytes where its header says {_HEAD + length + end}")


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path.name} is damaged: {why}", help="fetch or write it again", code="MR456", place=str(path)
    )


def identity(checkpoint: Checkpoint) -> ModelIdentity:
    """Return what makes this the base that it is; reads weights only where no name gives their hash."""
    config = read_config(checkpoint)
    return ModelIdentity(
        name=checkpoint.name,
        revision=checkpoint.revision,
        weights_sha256=_combined({p.name: file_sha256(p) for p in weight_files(checkpoint)}),
        tokenizer_sha256=extended_sha256(_tokenizer_hash(checkpoint), checkpoint.added_tokens),
        chat_template_sha256=_chat_template_hash(checkpoint),
        architecture=str(config.get("model_type", "")),
    )


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file; a file in the hub's cache is named by it, so that it need not be read."""
    blob = path.resolve()
    if path.is_symlink() and blob.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return blob.name
    stat = blob.stat()
    return _content_sha256(str(blob), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _content_sha256(path: str, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - a stamp, part of the key
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _combined(hashes: Mapping[str, str]) -> str:
    """Return one hash of named hashes, "" for none."""
    if not hashes:
        return ""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _tokenizer_hash(checkpoint: Checkpoint) -> str:
    files = [checkpoint.folder / name for name in _TOKENIZER_FILES]
    hashes = {p.name: file_sha256(p) for p in files if p.is_file()}
    if (checkpoint.folder / "tokenizer_config.json").is_file():
        config = _read_json(checkpoint, "tokenizer_config.json")
        special = {k: v for k, v in config.items() if k.endswith("_token") or k == "added_tokens_decoder"}
        hashes["special"] = hashlib.sha256(json.dumps(special, sort_keys=True).encode()).hexdigest()
    return _combined(hashes)


def _chat_template_hash(checkpoint: Checkpoint) -> str:
    file = checkpoint.folder / "chat_template.jinja"
    text: object = file.read_text(encoding="utf-8") if file.is_file() else None
    if text is None:
        for name in ("chat_template.json", "tokenizer_config.json"):
            if text is None and (checkpoint.folder / name).is_file():
                text = _read_json(checkpoint, name).get("chat_template")
    if text is None:
        return ""
    content = text if isinstance(text, str) else json.dumps(text, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _read_json(checkpoint: Checkpoint, name: str) -> dict[str, Any]:
    path = checkpoint.folder / name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{checkpoint.name} is not a model folder: it has no readable {name}",
            code="MR451",
            place=str(path),
        ) from error
    except ValueError as error:
        raise ModelError(f"{name} of {checkpoint.name} is not JSON", code="MR456", place=str(path)) from error
    if not isinstance(content, dict):
        raise ModelError(f"{name} of {checkpoint.name} is not a record", code="MR456", place=str(path))
    return content
