"""Find a model in the hub's cache on this machine, or fetch it. Never waits long for a network."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from pipeline_dsl.api import ModelError

_FILES = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt", "README.md")
_PATIENCE_S = 4.0


def find(name: str, revision: str) -> Path | None:
    """Return the snapshot folder of a model that the cache holds, else None."""
    import huggingface_hub

    try:
        found = huggingface_hub.try_to_load_from_cache(name, "config.json", revision=revision)
    except huggingface_hub.errors.HFValidationError as error:
        raise ModelError(f"{name!r} is neither a model of the hub nor a folder", code="MR451") from error
    return Path(found).parent if isinstance(found, str) else None


def fetch(name: str, revision: str, say: Callable[[str], None]) -> Path:
    """Download a model into the hub's cache and return its folder, or raise ModelError."""
    _need_network(name)
    size = _size_of(name, revision)
    say(f"fetching {name} ({size / 1e9:.1f} GB)")
    return _download(name, revision)


def _need_network(name: str) -> None:
    from huggingface_hub import constants

    try:
        request = urllib.request.Request(constants.ENDPOINT, method="HEAD")  # noqa: S310 - the hub's address
        urllib.request.urlopen(request, timeout=_PATIENCE_S).close()  # noqa: S310 - as above
    except urllib.error.HTTPError:
        return  # it answered
    except OSError as error:
        raise absent(name, f"{constants.ENDPOINT} cannot be reached") from error


def _size_of(name: str, revision: str) -> int:
    """Return the bytes to fetch; refuse a model that is absent or has no safetensors."""
    import huggingface_hub

    try:
        info = huggingface_hub.HfApi().model_info(
            name, revision=revision, files_metadata=True, timeout=_PATIENCE_S
        )
    except Exception as error:  # a border: the hub client's transport errors have no public base class
        raise _translated(name, error) from error
    files = {f.rfilename: f.size or 0 for f in info.siblings or ()}
    if not any(f.endswith(".safetensors") for f in files):
        raise ModelError(
            f"{name} has no safetensors weights on the hub", help="use a revision that has them", code="MR453"
        )
    return sum(size for file, size in files.items() if file.endswith(".safetensors"))


def _download(name: str, revision: str) -> Path:
    import huggingface_hub

    bar = huggingface_hub.utils.tqdm
    silent = type(
        "SilentBar",
        (bar,),
        {"__init__": lambda self, *a, **k: bar.__init__(self, *a, **{**k, "disable": True})},
    )
    try:
        return Path(
            huggingface_hub.snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(_FILES),
                etag_timeout=_PATIENCE_S,
                tqdm_class=silent,
            )
        )
    except Exception as error:  # a border, as above
        raise _translated(name, error) from error


def _translated(name: str, error: Exception) -> ModelError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return ModelError(
            f"{name} is gated and this machine has no access to it; its licence: https://huggingface.co/{name}",
            help="accept the licence there and log in with `hf auth login`",
            code="MR452",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return absent(name, "the hub has no such revision of it")
    if isinstance(error, (errors.RepositoryNotFoundError, errors.HFValidationError)):
        return absent(name, "the hub knows no model of that name, or it is private")
    return absent(name, f"the hub did not deliver it ({type(error).__name__})")


def absent(name: str, why: str) -> ModelError:
    """Make the one-line error for a model that is not on this machine and cannot be fetched."""
    return ModelError(
        f"{name} is not on this machine and {why}; licence and access: https://huggingface.co/{name}",
        help="accept its licence there, log in with `hf auth login`, and try again with a network",
        code="MR451",
    )
