"""Where the server listens."""

from __future__ import annotations

import ipaddress
import socket

from pipeline_dsl.api.errors import MachineError

CODE = "MR606"
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")


def bound(host: str, port: int) -> socket.socket:
    """Take an address, so that what stands in its way shows before anything is loaded.

    Raises:
        MachineError: MR606, it cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _refused(host, port, error) from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError as error:
        taken.close()
        raise _refused(host, port, error) from error
    return taken


def url_of(taken: socket.socket) -> str:
    """Return ``http://127.0.0.1:8000``."""
    host, port = taken.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it: every address of the name is one of its own."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


def own_names(host: str, more: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the names by which a server may be called; None for any.

    On loopback they are known: a page of the web whose name was made to point here calls by another one.
    """
    if is_loopback(host):
        return tuple(name.lower() for name in (*_OWN_NAMES, host, *more))
    return tuple(name.lower() for name in (*_OWN_NAMES, *more)) if more else None


def _refused(host: str, port: int, error: OSError) -> MachineError:
    return MachineError(
        f"{host} port {port} cannot be listened on: {error.strerror or error}",
        help="--port 0 takes any free port",
        code=CODE,
    )
