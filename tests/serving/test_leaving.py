"""A request that its client gives up frees its slot; one that finds no room is told so."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import closing
from functools import partial

import pytest


def sent(server, body: dict[str, object]) -> socket.socket:
    """Send a request over a connection of its own, whose answer nobody has read yet."""
    host, port = server.url.removeprefix("http://").split(":")
    raw = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    client = socket.create_connection((host, int(port)), timeout=30)
    client.sendall(head.encode() + raw)
    return client


def cut(client: socket.socket) -> None:
    """Close as a process does that is killed: with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.fixture(scope="module")
def narrow(serve):
    """One slot, and one place to wait."""
    with serve(slots=1, queue=1) as server:
        yield server


@pytest.fixture
def held(serve, recited):
    """One slot and one place to wait, and what ends the first answer: until then it takes as long as it needs."""
    waits = threading.Event()
    with serve(slots=1, queue=1, decoder=partial(recited, "ok", waits=waits)) as server:
        yield server, waits.set


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("end", [cut, socket.socket.close], ids=["reset", "closed"])
def test_a_client_that_goes_away_frees_its_slot(narrow, taught, stream, end):
    client = sent(narrow, taught.question("a", stream=stream, **taught.long))
    if stream:
        assert client.recv(20).startswith(b"HTTP/1.1 200")
    narrow.becomes((1, 0))
    end(client)
    narrow.becomes((0, 0), seconds=0.9)
    assert narrow.answer("heart", max_tokens=12) == "심장"


def test_a_client_that_goes_away_while_it_waits_leaves_the_queue(held, taught):
    server, let_go = held
    with closing(sent(server, taught.question("a"))) as first:
        server.becomes((1, 0))
        second = sent(server, taught.question("heart"))
        server.becomes((1, 1))
        cut(second)
        server.becomes((1, 0))
        let_go()
        assert first.recv(20).startswith(b"HTTP/1.1 200")


def test_a_full_queue_is_429_with_a_time_to_come_back_and_nobody_waits_in_vain(held, taught):
    server, let_go = held
    with closing(sent(server, taught.question("a"))) as first:
        server.becomes((1, 0))
        second = sent(server, taught.question("heart"))
        server.becomes((1, 1))
        for stream in (False, True):
            refused = server.ask("lung", stream=stream)
            assert (refused.status_code, refused.json()["error"]["type"]) == (429, "rate_limit_error")
            assert refused.headers["retry-after"] == "1"
        backend = server.post("/api/v1/chat", json={"message": "열이 나요"})
        assert (backend.status_code, list(backend.json())) == (429, ["detail"])
        let_go()
        assert first.recv(20).startswith(b"HTTP/1.1 200")
        with closing(second):
            assert second.recv(20).startswith(b"HTTP/1.1 200")


def test_a_client_that_reads_nothing_holds_no_other_up(narrow, taught):
    with closing(sent(narrow, taught.question("a", stream=True, **taught.long))):
        narrow.becomes((1, 0))
        assert narrow.answer("heart", max_tokens=12) == "심장"


def test_a_body_that_comes_slowly_holds_no_slot_and_is_cut_off(serve):
    with serve(slots=1, body_seconds=0.3) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with closing(socket.create_connection((host, int(port)), timeout=30)) as client:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            client.sendall(head.encode() + b'Content-Length: 100\r\n\r\n{"mod')
            assert server.answer("heart", max_tokens=12) == "심장"
            assert client.recv(40).startswith(b"HTTP/1.1 408")
