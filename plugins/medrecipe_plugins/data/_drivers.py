"""What reads addresses: urllib those of the web, fsspec's drivers all others; none may take long."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline_dsl.api import DataError, MachineError

T = TypeVar("T")
PATIENCE_S = 4.0
"""How long an address may take to say what it holds."""
_STALL_S = 60.0
"""How long a download of the web may stand still."""
_WEB = frozenset({"http", "https"})
_INSTALL = {
    "gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs", "s3a": "s3fs", "az": "adlfs", "abfs": "adlfs",
    "hf": "huggingface_hub", "memory": "fsspec",
}  # fmt: skip
"""Schemes that are read through fsspec, and the package that its driver is in."""
_FACTS = (
    "ETag", "etag", "Content-MD5", "Digest", "Last-Modified", "Content-Length", "size", "md5Hash",
    "generation", "LastModified", "last_modified", "last_commit", "mtime", "created",
)  # fmt: skip
"""What changes with a file's content, under the names of several stores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What an address holds."""

    size: int | None
    """Bytes, where it says so."""
    version: str
    """Changes when the content does."""
    chunks: Callable[[int], Iterator[bytes]]
    """Its content in pieces of at most so many bytes, or DataError."""


def need_driver(address: str, name: str) -> None:
    """Raise DataError for an address that nothing reads, MachineError where its driver is not installed."""
    scheme = address.partition("://")[0].lower()
    if scheme in _WEB:
        return
    if scheme not in _INSTALL or "::" in address:
        known = ", ".join(f"{s}://" for s in sorted(_WEB | set(_INSTALL) - {"memory"}))
        message = f"addresses that begin with `{scheme}://` cannot be fetched"
        raise DataError(message, code="MR515", place=name, help=f"fetched are {known}; a path has no scheme")
    try:
        import fsspec

        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        message = f"`{scheme}://` needs {_INSTALL[scheme]}, which is not installed"
        raise MachineError(message, place=name, help=f"pip install {_INSTALL[scheme]}") from error


def look(address: str, name: str) -> Remote:
    """Ask an address what it holds, for ``PATIENCE_S`` seconds at most.

    Raises:
        DataError: MR515, it cannot be reached, may not be read or holds no file.
    """
    asked = _ask_web if address.partition("://")[0].lower() in _WEB else _ask_store
    try:
        return within(PATIENCE_S, lambda: asked(address, name))
    except Exception as error:  # a border: drivers raise what they like
        raise _unreachable(name, error) from error


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what a call returns, or raise TimeoutError; the call itself then goes on unseen."""
    answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that asked
            answers.put((None, error))

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]  # without an error there is an answer


def _ask_web(address: str, name: str) -> Remote:
    with _open_web(address, PATIENCE_S) as answer:  # not HEAD: signed addresses allow one method only
        facts = dict(answer.headers.items())
    length = facts.get("Content-Length", "")
    chunks = _reader(lambda: _open_web(address, _STALL_S), name)
    return Remote(
        size=int(length) if length.isdecimal() and "Content-Encoding" not in facts else None,
        version=_version(facts, ""),
        chunks=chunks,
    )


def _open_web(address: str, timeout: float) -> Any:
    import urllib.error
    import urllib.request

    headers = {"User-Agent": "medrecipe", "Accept-Encoding": "identity"}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - http or https
    try:
        return urllib.request.urlopen(request, timeout=timeout)  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        error.close()
        raise


def _ask_store(address: str, name: str) -> Remote:
    import fsspec

    store, path = fsspec.core.url_to_fs(address)
    facts = store.info(path)
    if facts.get("type", "file") != "file":
        raise IsADirectoryError
    size = facts.get("size")
    chunks = _reader(lambda: store.open(path, "rb"), name)
    return Remote(size=size, version=_version(facts, store.ukey(path)), chunks=chunks)


def _version(facts: dict[str, Any], key: str) -> str:
    told = [f"{name}={facts[name]}" for name in _FACTS if facts.get(name) is not None]
    return hashlib.sha256("\n".join([key, *told]).encode()).hexdigest()[:16]


def _reader(opened: Callable[[], Any], name: str) -> Callable[[int], Iterator[bytes]]:
    def chunks(size: int) -> Iterator[bytes]:
        try:
            with opened() as content:
                while chunk := content.read(size):
                    yield chunk
        except Exception as error:  # a border, as above
            raise _unreachable(name, error) from error

    return chunks


def _unreachable(name: str, error: Exception) -> DataError:
    """Say in words why an address gives no file; never in the driver's, which may hold secrets."""
    from urllib.error import HTTPError

    code = error.code if isinstance(error, HTTPError) else None
    if isinstance(error, FileNotFoundError) or code in {404, 410}:
        return DataError("there is no such file", code="MR515", place=name, help="look at the address")
    if isinstance(error, IsADirectoryError):
        return DataError("is a folder", code="MR515", place=name, help="give the address of a file")
    if isinstance(error, PermissionError) or code in {401, 403}:
        return DataError("it may not be read from here", code="MR515", place=name, help="log in to its store")
    why = f"it answered {code}" if code else f"it cannot be reached ({type(error).__name__})"
    return DataError(why, code="MR515", place=name, help="try again with a network, or give a local file")
