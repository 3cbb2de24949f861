"""Where the files of a ``causal_lm`` are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from medrecipe_plugins.models import _hub
from medrecipe_plugins.models._checkpoint import Checkpoint, has_tokenizer, weight_files
from pipeline_dsl.api import ModelError

if TYPE_CHECKING:
    from medrecipe_plugins.models.causal_lm import Options

_PATH_STARTS = ("/", "./", "../", "~")


def locate(options: Options, say: Callable[[str], None] | None) -> Checkpoint:
    """Return the files of a model; with ``say`` they may be fetched, else they must be there."""
    if bool(options.name) == bool(options.folder):
        raise ModelError(
            "a causal_lm needs either a name or a folder", help="write name: google/medgemma-4b-it"
        )
    path = options.folder or (options.name if _is_path(options.name or "") else None)
    if path is not None:
        return _local(Path(path).expanduser())
    return _from_hub(str(options.name), options, say)


def _is_path(name: str) -> bool:
    return name.startswith(_PATH_STARTS) or name in (".", "..")


def _local(folder: Path) -> Checkpoint:
    if not (folder / "config.json").is_file():
        what = "has no config.json" if folder.is_dir() else "does not exist"
        raise ModelError(
            f"the model folder {folder.name or folder} {what}",
            help="give a folder in the hub's layout: config.json, tokenizer.json, model.safetensors",
            code="MR451",
            place=str(folder),
        )
    return Checkpoint(folder=folder.resolve(), name=folder.resolve().name)


def _from_hub(name: str, options: Options, say: Callable[[str], None] | None) -> Checkpoint:
    folder = _hub.find(name, options.revision)
    if folder is None or (say is not None and not _whole(folder, name)):
        if options.offline:
            raise _hub.absent(name, "this recipe says offline")
        if say is None:
            raise _hub.absent(name, "nothing is downloaded for this")
        folder = _hub.fetch(name, options.revision, say)
    return Checkpoint(folder=folder, name=name, revision=folder.name)


def _whole(folder: Path, name: str) -> bool:
    """Whether a cached snapshot has weights and tokenizer: an interrupted download leaves a part."""
    checkpoint = Checkpoint(folder=folder, name=name)
    try:
        return bool(weight_files(checkpoint)) and has_tokenizer(checkpoint)
    except ModelError:
        return False
