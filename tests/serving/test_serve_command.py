"""``medrecipe serve`` as a process: where it listens, what it refuses, and how it ends."""

from __future__ import annotations

import contextlib
import io
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
from click.testing import CliRunner

from pipeline_dsl.cli.main import cli, main
from pipeline_dsl.cli.serve import _token as token_of

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

    def start(*options: str, before: str = "pass", **environment: str) -> Process:
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


@pytest.fixture
def busy():
    """Return a function that keeps a server busy: its context ends once all of its questions are answered."""

    @contextlib.contextmanager
    def ask(url: str) -> Iterator[list[httpx.Response]]:
        body = {
            "model": "base", "messages": [{"role": "user", "content": "a"}], "max_tokens": 230, "temperature": 2,
        }  # fmt: skip
        answers: list[httpx.Response] = []
        with httpx.Client(base_url=url, timeout=60, trust_env=False, verify=False) as client:

            def one(seed: int) -> None:
                answers.append(client.post("/v1/chat/completions", json=body | {"seed": seed}))

            threads = [threading.Thread(target=one, args=[n]) for n in range(20)]
            for thread in threads:
                thread.start()
            end = time.monotonic() + SECONDS
            while client.get("/health").json()["waiting"] < 4:
                assert time.monotonic() < end
                time.sleep(0.02)
            yield answers
            for thread in threads:
                thread.join(30)

    return ask


@pytest.fixture
def refusal(runs: Path, run_id: str):
    """Return a function that gives exit code and output of a command line that is refused."""

    def refused(*options: str) -> tuple[int, str]:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(["serve", run_id, "--runs", str(runs), *options])
        return code, said.getvalue()

    return refused


def test_a_run_is_served_where_it_says_and_sigterm_lets_a_running_request_finish(command, tmp_path):
    (tmp_path / "token").write_text("s3cret-of-the-file\n", encoding="utf-8")
    served = command("--port", "0", "--log-requests", "--token-file", "token")
    url = served.listening()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert "models: siblings, cardiology, pneumology, hepatology, conversation, base\n" in served.said
    body = {
        "model": "base",
        "messages": [{"role": "user", "content": "a"}],
        "max_tokens": 230,
        "temperature": 2,
        "seed": 3,
    }
    assert httpx.get(f"{url}/v1/models").status_code == 401
    key = {"Authorization": "Bearer s3cret-of-the-file"}
    with httpx.stream(
        "POST", f"{url}/v1/chat/completions", json=body | {"stream": True}, headers=key, timeout=60
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
    assert "POST /v1/chat/completions 200" in served.said
    assert "Traceback" not in served.said
    assert "s3cret" not in served.said


def test_ctrl_c_ends_it_cleanly_once_the_grace_is_over(command, busy):
    served = command("--port", "0", "--grace", "0.2", "--slots", "1")
    with busy(served.listening()) as answers:
        served.process.send_signal(signal.SIGINT)
    assert len(answers) == 20
    assert 503 in {answer.status_code for answer in answers} <= {200, 503}
    assert served.wait() == 0
    assert "Traceback" not in served.said


def test_a_second_signal_ends_it_at_once(command, busy):
    served = command("--port", "0", "--grace", "60", "--slots", "1")
    with busy(served.listening()):
        began = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        served.process.send_signal(signal.SIGTERM)
    assert served.wait() == 130
    assert time.monotonic() - began < 15
    assert "Traceback" not in served.said


def test_a_file_goes_before_the_environment(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("of-the-file\n", encoding="utf-8")
    monkeypatch.setenv("MEDRECIPE_TOKEN", "of-the-shell")
    assert token_of(tmp_path / "token") == "of-the-file"
    assert token_of(None) == "of-the-shell"
    monkeypatch.delenv("MEDRECIPE_TOKEN")
    assert token_of(None) is None


def test_an_address_that_is_taken_is_refused_before_anything_is_loaded(refusal):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = refusal("--port", str(taken.getsockname()[1]))
    assert code == 5
    assert said.count("error[MR606]") == 1
    assert "loading" not in said


def test_a_host_that_is_no_address_of_this_machine_is_refused(refusal):
    for host in ("192.0.2.1", "no-such-host.invalid"):
        code, said = refusal("--host", host, "--port", "0", "--without-token")
        assert (code, said.count("error[MR606]")) == (5, 1)


def test_without_the_extra_it_says_how_to_install_it(command):
    for name in ("fastapi", "uvicorn"):
        refused = command("--port", "0", before=f"sys.modules[{name!r}] = None")
        assert refused.wait() == 5
        assert "error[MR605]" in refused.said
        assert "pip install 'medrecipe[serve]'" in refused.said


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_network_is_let_in_with_a_token_only(refusal, monkeypatch, host):
    monkeypatch.setenv("MEDRECIPE_TOKEN", "")
    code, said = refusal("--host", host, "--port", "0")
    assert code == 2
    assert "--without-token" in said


@pytest.mark.parametrize("content", ["", " \n", "two words", "줄", "a\nb"])
def test_a_file_without_a_token_is_a_mistake(refusal, tmp_path, content):
    (tmp_path / "token").write_text(content, encoding="utf-8")
    code, said = refusal("--token-file", str(tmp_path / "token"))
    assert code == 2
    assert "holds no token" in said


def test_an_adapter_that_the_run_does_not_have_is_answered_with_the_nearest(refusal):
    code, said = refusal("--port", "0", "--adapter", "hart")
    assert code == 2
    assert "did you mean `heart`" in said


def test_the_help_says_what_is_served():
    text = CliRunner().invoke(cli, ["serve", "--help"]).output
    for word in ("/v1/chat/completions", "/api/v1/chat", "/health", "MEDRECIPE_TOKEN", "--grace", "--queue"):
        assert word in text
