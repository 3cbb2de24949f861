"""Fetch a dataset of the hub and keep one part of it as a Parquet file. Never waits long for a network."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medrecipe_plugins._cache import keep_json, user_cache
from medrecipe_plugins.data._drivers import PATIENCE_S, within
from medrecipe_plugins.data._parquet_rows import need_library
from pipeline_dsl.api import DataError, MachineError

if TYPE_CHECKING:
    from medrecipe_plugins.data.hub import Options

ROWS = "rows.parquet"
_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONGEST_CAUSE = 300


def need(options: Options) -> None:
    """Raise DataError for a name that no dataset has, MachineError (MR600) where a library is missing."""
    if not _NAME.fullmatch(options.name):
        message = f"{options.name!r} is no name of a dataset"
        raise DataError(message, code="MR516", help="write owner/name; a file has a source of its own")
    need_library()
    if importlib.util.find_spec("datasets") is None:
        raise MachineError(
            "the hub is read by `datasets`, which is not installed", help="pip install datasets"
        )


def folder_of(options: Options) -> Path:
    """Return where a part of a dataset is kept, fetched or not."""
    words = [options.name, options.config, options.hub_split, options.revision]
    key = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]
    return user_cache() / "data" / "hub" / key


def fetch(options: Options, say: Callable[[str], None]) -> None:
    """Download the part into a folder that appears whole or not at all."""
    commit = _commit_of(options)
    if not _COMMIT.fullmatch(options.revision):
        say(f"{options.name}: {options.revision} is {commit} now; write `revision: {commit}` to pin it")
    target = folder_of(options)
    with _work_folder(target.parent) as work:
        say(f"fetching the dataset {options.name} ({options.hub_split}, {commit[:12]})")
        build(f"hf://datasets/{options.name}", options, commit, work)
        _publish(work, target)


def build(address: str, options: Options, commit: str, work: Path) -> None:
    """Write one part of a dataset at an address of the hub, or in a folder, as ``rows.parquet``."""
    import datasets

    try:
        with _no_bars():
            part = datasets.load_dataset(
                address,
                options.config,
                split=options.hub_split,
                revision=commit,
                cache_dir=str(work / "arrow"),
            )
            part.to_parquet(work / ROWS)
    except Exception as error:  # a border: builders raise what they like
        raise _full(error, work) or _translated(options, error) from error
    about = {"name": options.name, "config": options.config, "hub_split": options.hub_split}
    keep_json(work / "about.json", about | {"revision": options.revision, "commit": commit})
    del part  # which holds the files in that folder open
    shutil.rmtree(work / "arrow", ignore_errors=True)


def _commit_of(options: Options) -> str:
    """Ask the hub what a revision is, and whether the dataset can be had."""
    import huggingface_hub

    api = huggingface_hub.HfApi()
    _need_network(options, api.endpoint)
    try:
        found = api.dataset_info(options.name, revision=options.revision, timeout=PATIENCE_S)
    except Exception as error:  # a border: the client's transport errors have no public base class
        raise _translated(options, error) from error
    return str(found.sha)


def _need_network(options: Options, endpoint: str) -> None:
    import urllib.error
    import urllib.request

    def ask() -> None:
        request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 - the hub's address
        urllib.request.urlopen(request, timeout=PATIENCE_S).close()  # noqa: S310 - as above

    try:
        within(PATIENCE_S, ask)
    except urllib.error.HTTPError as error:
        error.close()  # it answered
    except OSError as error:
        raise absent(options, f"{endpoint} cannot be reached") from error


def _full(error: BaseException | None, work: Path) -> MachineError | None:
    """Make the error for a full disk, if that is what lies at the bottom of an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return MachineError("the disk is full", place=str(work.parent), help="make room and try again")
        error = error.__cause__ or error.__context__
    return None


def _translated(options: Options, error: Exception) -> DataError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return absent(options, "it is gated: accept its licence there and log in with `hf auth login`")
    if isinstance(error, errors.RevisionNotFoundError):
        return absent(options, f"it has no revision {options.revision}")
    if isinstance(error, errors.RepositoryNotFoundError):
        return absent(options, "the hub knows no dataset of that name, or it is private")
    lines = str(error).splitlines()
    if type(error) in {ValueError, RuntimeError} and lines:  # a configuration or part that is not there
        return absent(options, lines[0][:_LONGEST_CAUSE])
    return absent(options, f"the hub did not deliver it ({type(error).__name__})")


def absent(options: Options, why: str) -> DataError:
    """Make the one-line error for a dataset that is not on this machine and cannot be fetched."""
    page = f"https://huggingface.co/datasets/{options.name}"
    return DataError(
        f"the dataset {options.name} is not on this machine: {why}; its page: {page}",
        code="MR516",
        help="look at its page, and try again with a network",
    )


@contextmanager
def _work_folder(parent: Path) -> Iterator[Path]:
    try:
        parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".fetching-", dir=parent))
    except OSError as error:
        message = f"a dataset cannot be kept: {error.strerror}"
        raise MachineError(message, place=str(parent), help="make room or let it be written") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish(work: Path, target: Path) -> None:
    """Give a finished folder its final name, unless another process has just done so."""
    try:
        work.chmod(0o755)
        work.rename(target)
    except OSError as error:
        if not target.is_dir():
            message = f"a dataset cannot be kept: {error.strerror}"
            raise MachineError(message, place=str(target), help="make room or let it be written") from error


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep the libraries' progress bars out of our output, and leave their settings as they were."""
    import datasets
    from huggingface_hub import utils as hub

    before = (datasets.are_progress_bars_disabled(), hub.are_progress_bars_disabled())
    datasets.disable_progress_bars()
    hub.disable_progress_bars()
    try:
        yield
    finally:
        if not before[0]:
            datasets.enable_progress_bars()
        if not before[1]:
            hub.enable_progress_bars()
