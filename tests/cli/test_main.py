from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from pipeline_dsl import __version__
from pipeline_dsl.api.errors import GuardError, LockedError, MedrecipeError
from pipeline_dsl.cli.main import cli, main


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


ALL = commands(cli)


def test_all_commands_of_the_first_version_are_there():
    assert {" ".join(path) for path, _ in ALL} >= {
        "check", "plan", "run", "eval", "resolve", "explain", "plugins list", "plugins show", "schema",
        "runs list", "runs show", "sdn to-json",
    }  # fmt: skip


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_has_help_with_an_example(path, command, medrecipe):
    result = medrecipe(*path, "--help")
    assert result.code == 0
    assert "Example" in result.out
    assert f"  medrecipe {' '.join(path)} " in result.out or isinstance(command, click.Group)
    undocumented = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert undocumented == []


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_no_help_line_is_wider_than_a_page(path, command, medrecipe):
    assert max(map(len, medrecipe(*path, "--help").out.splitlines())) <= 100


def test_the_overview_says_of_a_command_what_the_command_says():
    for section in cli.sections:
        for listed in section.commands:
            assert (
                cli.get_command(click.Context(cli), listed.name).get_short_help_str(200)
                == listed.summary.rstrip(".") + "."
            )


def test_examples_use_options_that_exist():
    leaves = [(path, command) for path, command in ALL if not isinstance(command, click.Group)]
    for path, command in leaves:
        known = {o for p in command.params for o in p.opts} | {"--help"}
        for line in re.findall(rf"^  medrecipe {' '.join(path)} .*$", command.help or "", re.MULTILINE):
            assert set(re.findall(r"--[a-z-]+", line)) <= known, line


def test_medrecipe_alone_prints_the_overview(medrecipe):
    result = medrecipe()
    assert result.code == 0
    assert "Adapt medical language models" in result.out
    assert "explain" in result.out


def test_the_version_is_printed(medrecipe):
    assert medrecipe("--version").out == f"medrecipe {__version__}\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["chek"], "Did you mean 'check'?"),
        (["explian"], "Did you mean 'explain'?"),
        (["runs", "lst"], "Did you mean 'list'?"),
        (["qqq"], "There is no command 'qqq'. The commands are check, plan"),
        (["check"], "Missing argument"),
        (["check", "--nope", "x"], "No such option"),
        (["run"], "Give a RECIPE"),
        (["explain", "MR1234"], "There is no code"),
        (["plugins", "show", "nothing-like-it"], "No plugin offers"),
    ],
)
def test_wrong_usage_is_answered_with_a_hint(medrecipe, words, hint):
    result = medrecipe(*words)
    assert result.code == 2
    assert hint in result.err
    assert result.out == ""


@pytest.fixture
def failing(monkeypatch):
    """Make ``medrecipe schema`` fail with an error."""

    def make(error: BaseException) -> None:
        def fail(**_: object) -> None:
            raise error

        command = cli.get_command(click.Context(cli), "schema")
        monkeypatch.setattr(command, "callback", fail)

    return make


def test_a_bug_is_one_line_and_exit_code_1(medrecipe, failing):
    failing(ZeroDivisionError("by\nzero"))
    result = medrecipe("schema", "--write", "x")
    assert result.code == 1
    assert result.err.startswith("internal error: ZeroDivisionError: by zero; please report it")
    assert len(result.err.splitlines()) == 1
    assert result.out == ""


@pytest.mark.parametrize(
    "words", [("--debug", "schema", "--write", "x"), ("schema", "--write", "x", "--debug")]
)
def test_debug_shows_the_traceback(medrecipe, failing, words):
    failing(ZeroDivisionError("by zero"))
    assert "Traceback" in medrecipe(*words).err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GuardError("stop"), 6),
        (LockedError("held"), 7),
        (MedrecipeError("a listener failed"), 1),
        (MedrecipeError("no such task", code="MR263"), 2),
        (MedrecipeError("another base", code="MR467"), 4),
    ],
)
def test_a_fault_of_the_user_has_its_exit_code(medrecipe, failing, error, code):
    failing(error)
    result = medrecipe("schema", "--write", "x")
    assert result.code == code
    assert result.err.startswith(f"error[{error.code}]: {error.message}")


def test_ctrl_c_is_130(medrecipe, failing):
    failing(KeyboardInterrupt())
    result = medrecipe("schema", "--write", "x")
    assert (result.code, result.err.strip()) == (130, "interrupted")


def test_ctrl_c_from_outside_is_130(tmp_path):
    command = [sys.executable, "-m", "pipeline_dsl.cli.main", "sdn", "to-json", "-"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - no thread of ours forks meanwhile
    ) as child:
        assert child.stdin is not None
        child.stdin.write("a: 1\n")
        child.stdin.flush()
        wait_until_it_reads(child.pid)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "Traceback" not in err


def heed_ctrl_c() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until_it_reads(pid: int) -> None:
    for _ in range(200):
        time.sleep(0.05)
        if "pipe" in Path(f"/proc/{pid}/wchan").read_text():
            return
    time.sleep(1)


def test_a_closed_pipe_is_quiet(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "pipeline_dsl.cli.main", "explain"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == ""


def test_korean_is_written_in_utf8_whatever_the_locale(process, tmp_path):
    (tmp_path / "가.sdn").write_text("이름: 한국어\n", encoding="utf-8")
    result = process(
        "sdn",
        "to-json",
        "가.sdn",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        PYTHONIOENCODING="ascii",
    )
    assert result.code == 0, result.err
    assert "한국어" in result.out


def test_main_is_the_entry_that_the_package_names():
    from importlib.metadata import distribution

    scripts = [e for e in distribution("medrecipe").entry_points if e.group == "console_scripts"]
    assert [(e.name, e.load()) for e in scripts] == [("medrecipe", main)]
