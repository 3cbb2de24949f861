"""Files that have an address: fetched once into the user's cache, from then on files of this machine."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from medrecipe_plugins._cache import appearing, keep_json, kept_json, user_cache
from medrecipe_plugins.data._drivers import Remote, look, need_driver
from pipeline_dsl.api import DataError, MachineError

_CHUNK = 1 << 20
_SPARE = 1.2
"""Free room that is asked for, in sizes of the file."""
_SILENCE_S = 10.0
"""How long a download goes on without a word."""
_LONGEST_NAME = 80


def shown(address: str) -> str:
    """Return an address for people: without what may be secret in it (user, password, query)."""
    scheme, store, path = _parts(address)
    return f"{scheme}://{store}{path}"


def kept(address: str) -> Path | None:
    """Return where the newest fetched content of an address is kept, or None. Without a network.

    Raises:
        DataError: MR515, addresses of this kind cannot be fetched.
        MachineError: MR600, what fetches them is not installed.
    """
    need_driver(address, shown(address))
    folder = _folder(address)
    about = kept_json(folder / "newest.json")
    path = folder / str(about.get("file", ""))
    return path if path.is_file() and path.stat().st_size == about.get("bytes") else None


def fetch(address: str, say: Callable[[str], None]) -> None:
    """Fetch an address unless its newest content is kept; where it cannot be reached, what is kept will do.

    Raises:
        DataError: MR515, it cannot be reached or holds no file.
        MachineError: MR600, what fetches it is not installed, or it cannot be kept.
    """
    have = kept(address)
    name = shown(address)
    try:
        remote = look(address, name)
    except DataError as error:
        if have is None:
            raise
        say(f"{name}: {error.message}; what was fetched of it before is read")
        return
    target = _folder(address) / remote.version / _file_name(address)
    if have != target:
        _download(remote, target, name, say)
        about = {"file": f"{remote.version}/{target.name}", "bytes": target.stat().st_size, "address": name}
        keep_json(_folder(address) / "newest.json", about)


def _download(remote: Remote, target: Path, name: str, say: Callable[[str], None]) -> None:
    say(f"fetching {name}" + ("" if remote.size is None else f" ({_megabytes(remote.size)})"))
    with appearing(target) as temporary:
        free = shutil.disk_usage(temporary.parent).free
        if remote.size is not None and free < remote.size * _SPARE:
            message = f"{name} has {remote.size / 1e9:.1f} GB and there is room for {free / 1e9:.1f} GB"
            raise MachineError(message, place=str(temporary.parent), help="make room and try again")
        got, told = 0, time.monotonic()
        with temporary.open("wb") as file:
            for chunk in remote.chunks(_CHUNK):
                got += file.write(chunk)
                if time.monotonic() - told > _SILENCE_S:
                    told = time.monotonic()
                    say(f"fetching {name}: {_megabytes(got)} are here")
        if remote.size not in {None, got}:
            message = f"{got:,} of {remote.size:,} bytes came"
            raise DataError(message, code="MR515", place=name, help="try again")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _folder(address: str) -> Path:
    return user_cache() / "data" / hashlib.sha256(address.encode()).hexdigest()[:16]


def _file_name(address: str) -> str:
    """Keep the ending: it may say how a file is written."""
    last = PurePosixPath(_parts(address)[2]).name
    return re.sub(r"[^\w.-]", "_", last)[-_LONGEST_NAME:].lstrip(".") or "data"


def _parts(address: str) -> tuple[str, str, str]:
    """Scheme, host or bucket, and path; whatever the address looks like."""
    scheme, _, rest = address.partition("://")
    store, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    return scheme, store.rpartition("@")[2], slash + path
