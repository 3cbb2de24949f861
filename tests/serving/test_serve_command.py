"""``medrecipe serve`` as a process: where it listens, what it refuses, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

SECONDS = 60


@dataclass
class Process:
    """A command line that was started."""

    process: subprocess.Popen[str]
    url: str = ""
    said: str = ""

    def wait(self) -> int:
        """Return its exit code; all that it said is in ``said``."""
        out, err = self.process.communicate(timeout=SECONDS)
        assert out == "", "talk goes to stderr"
        self.said += err
        return self.process.returncode

    def listening(self) -> str:
        """Return its address, once it says it."""
        for line in self.process.stderr:
            self.said += line
            if found := re.match(r"serving \S+ on (\S+)", line):
                return found[1]
        raise AssertionError(self.said)


@pytest.fixture
def command(runs: Path, run_id: str, tmp_path: Path) -> Iterator:
    """Return a function that starts ``medrecipe serve`` on the run."""
    started = []

    def start(*options: str, before: str = "", **environment: str) -> Process:
        code = f"import sys; {before}; from pipeline_dsl.cli.main import main; sys.exit(main(sys.argv[1:]))"
        words = [sys.executable, "-c", code, "serve", run_id, "--runs", str(runs), *options]
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=tmp_path,
            env={**os.environ, **environment},
        )  # fmt: skip
        started.append(process)
        return Process(process)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_run_is_served_where_it_says_and_sigterm_lets_a_running_request_finish(command):
    served = command("--port", "0")
    url = served.listening()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert "models: siblings, cardiology, pneumology, hepatology, conversation, base\n" in served.said
    body = {
        "model": "base",
        "messages": [{"role": "user", "content": "a"}],
        "max_tokens": 150,
        "temperature": 2,
        "seed": 3,
    }
    with httpx.stream(
        "POST", f"{url}/v1/chat/completions", json=body | {"stream": True}, timeout=60
    ) as stream:
        lines = stream.iter_lines()
        next(lines)
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert served.wait() == 0
    assert "stopping, 1 under way, at most 10 s" in served.said
    assert "Traceback" not in served.said


def test_ctrl_c_ends_it_cleanly_once_the_grace_is_over(command):
    served = command("--port", "0", "--grace", "0.2")
    url = served.listening()
    body = {
        "model": "base",
        "messages": [{"role": "user", "content": "a"}],
        "max_tokens": 230,
        "temperature": 2,
        "seed": 3,
    }
    found: list[httpx.Response] = []
    asking = [
        threading.Thread(
            target=lambda: found.append(httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60))
        )
        for _ in range(20)
    ]
    for thread in asking:
        thread.start()
    while httpx.get(f"{url}/health").json()["waiting"] < 4:
        time.sleep(0.01)
    served.process.send_signal(signal.SIGINT)
    for thread in asking:
        thread.join(30)
    assert {response.status_code for response in found} == {503}
    assert served.wait() == 0
    assert "Traceback" not in served.said


def test_a_second_signal_ends_it_at_once(command):
    served = command("--port", "0", "--grace", "60")
    url = served.listening()
    body = {
        "model": "base",
        "messages": [{"role": "user", "content": "a"}],
        "max_tokens": 230,
        "temperature": 2,
        "seed": 3,
        "stream": True,
    }
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=60) as stream:
        next(stream.iter_lines())
        began = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        served.process.send_signal(signal.SIGTERM)
        assert served.wait() == 130
        assert time.monotonic() - began < 10


def test_an_address_that_is_taken_is_refused_before_anything_is_loaded(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = command("--port", str(taken.getsockname()[1]))
        assert refused.wait() == 5
    assert refused.said.count("error[MR606]") == 1
    assert "loading" not in refused.said


def test_a_host_of_another_machine_is_refused(command):
    refused = command("--host", "192.0.2.1", "--port", "0", "--without-token")
    assert refused.wait() == 5
    assert "error[MR606]" in refused.said


def test_without_the_extra_it_says_how_to_install_it(command):
    for name in ("fastapi", "uvicorn"):
        refused = command("--port", "0", before=f"sys.modules[{name!r}] = None")
        assert refused.wait() == 5
        assert "error[MR605]" in refused.said
        assert "pip install 'medrecipe[serve]'" in refused.said


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_network_is_let_in_with_a_token_only(command, tmp_path, host):
    refused = command("--host", host, "--port", "0", MEDRECIPE_TOKEN="")
    assert refused.wait() == 2
    assert "--without-token" in refused.said
    (tmp_path / "token").write_text("s3cret\n", encoding="utf-8")


def test_the_token_comes_from_a_file_or_the_environment_and_is_never_said(command, tmp_path):
    (tmp_path / "token").write_text("s3cret-of-the-file\n", encoding="utf-8")
    for options, environment, token in (
        (("--token-file", "token"), {"MEDRECIPE_TOKEN": "another"}, "s3cret-of-the-file"),
        ((), {"MEDRECIPE_TOKEN": "s3cret-of-the-shell"}, "s3cret-of-the-shell"),
    ):
        served = command("--host", "0.0.0.0", "--port", "0", "--log-requests", *options, **environment)
        url = served.listening().replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/v1/models").status_code == 401
        assert httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        served.process.terminate()
        assert served.wait() == 0
        assert token not in served.said


@pytest.mark.parametrize("content", ["", " \n", "two words", "줄", "a\nb"])
def test_a_file_without_a_token_is_a_mistake(command, tmp_path, content):
    (tmp_path / "token").write_text(content, encoding="utf-8")
    refused = command("--token-file", "token")
    assert refused.wait() == 2
    assert "holds no token" in refused.said


def test_an_adapter_that_the_run_does_not_have_is_answered_with_the_nearest(command):
    refused = command("--port", "0", "--adapter", "hart")
    assert refused.wait() == 2
    assert "did you mean `heart`" in refused.said


def test_the_help_says_what_is_served():
    from click.testing import CliRunner

    from pipeline_dsl.cli.main import cli

    text = CliRunner().invoke(cli, ["serve", "--help"]).output
    for word in ("/v1/chat/completions", "/api/v1/chat", "/health", "MEDRECIPE_TOKEN", "--grace", "--queue"):
        assert word in text
