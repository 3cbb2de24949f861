"""What a terminal shows: written to a real pseudo-terminal, read back without its colours."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_dsl.cli.terminal import cells

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
MEDRECIPE = ("-m", "pipeline_dsl.cli.main")


def written(*python: str, cwd, code: int = 0, **environment: str) -> str:
    """What a process writes to a terminal, of 80 columns unless told otherwise."""
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80", **environment}
    command = [sys.executable, *python]
    with subprocess.Popen(
        command, stdout=follower, stderr=follower, stdin=follower, cwd=cwd, env=env
    ) as child:
        os.close(follower)
        parts = []
        while part := read(leader):
            parts.append(part)
    os.close(leader)
    text = b"".join(parts).decode()
    assert child.returncode == code, text
    return text


def read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:
        return b""


def on_a_terminal(*arguments: str, cwd, **more) -> str:
    return written(*MEDRECIPE, *arguments, cwd=cwd, **more)


def lines(text: str) -> list[str]:
    """Every state of every line that was drawn."""
    return re.split(r"[\r\n]+", ESCAPE.sub("", text))


def test_training_is_a_bar_with_loss_and_time_and_its_last_step_stays(recipe):
    text = on_a_terminal("run", "r.sdn", cwd=recipe.parent)
    drawn = lines(text)
    assert any(re.search(r"━ +20/20 loss 0\.\d{4}  lr 1\.0e-03", line) for line in drawn)
    assert "  step 20/20  loss 0.0500  lr 1.0e-03" in drawn
    assert "  fluency  7.46 [7.39, 7.54]  n 3" in drawn
    assert "runs show" in drawn[-2]


def test_no_line_that_is_drawn_again_reaches_the_edge_of_the_terminal(recipe):
    moving = [
        line
        for line in lines(on_a_terminal("run", "r.sdn", cwd=recipe.parent))
        if re.match(r"[-\\|/] ", line)
    ]
    assert moving
    assert max(map(cells, moving)) <= 76


@pytest.fixture(scope="module")
def trained(shared_recipe) -> Path:
    """A folder with a recipe that was run, and one with long names; nobody may change it."""
    text = shared_recipe.read_text(encoding="utf-8")
    named = (
        text.replace("    texts", "    " + "문장_" * 12)
        .replace(" texts,", f" {'문장_' * 12},")
        .replace("first", "the_first_adapter_of_a_long_name")
    )
    shared_recipe.with_name("long.sdn").write_text(named, encoding="utf-8")
    on_a_terminal("run", "r.sdn", cwd=shared_recipe.parent)
    return shared_recipe.parent


SHORT = [
    ("plan", "r.sdn"),
    ("plan", "long.sdn"),
    ("runs", "list"),
    ("runs", "show", "2"),
    ("plugins", "list"),
    ("plugins", "show", "lora"),
    ("plugins", "show", "trainer"),
    ("resolve", "r.sdn", "--why", "train.use"),
    (),
]


@pytest.mark.parametrize("words", SHORT, ids=" ".join)
def test_no_line_is_wider_than_the_terminal(trained, words):
    drawn = lines(on_a_terminal(*words, cwd=trained))
    assert max(map(cells, drawn)) <= 80, drawn


@pytest.mark.parametrize("value", ["phasess.two.seed=9", f"seed={'값' * 100}"])
def test_an_error_is_folded_between_words_and_its_source_line_cut(recipe, value):
    drawn = lines(on_a_terminal("check", "r.sdn", "--set", value, cwd=recipe.parent, code=2))
    assert max(map(cells, drawn)) <= 80


def test_colours_can_be_turned_off(trained):
    for words in (("runs", "list"), ("runs", "show", "2"), ("plugins", "show", "lora"), ("explain", "MR123")):
        coloured, plain = (on_a_terminal(*words, cwd=trained, **env) for env in ({}, {"NO_COLOR": "1"}))
        assert "\x1b[1m" in coloured
        assert "\x1b[" not in plain
        assert ESCAPE.sub("", coloured).replace("  better than base", "") == plain


def test_a_run_without_colours_still_has_a_bar(recipe):
    text = on_a_terminal("run", "r.sdn", cwd=recipe.parent, NO_COLOR="1")
    assert "━" in text
    assert re.findall(r"\x1b\[[0-9;]*3[0-9][0-9;]*m", text) == []


def test_a_dumb_terminal_gets_plain_lines(recipe):
    assert "\x1b" not in on_a_terminal("run", "r.sdn", cwd=recipe.parent, TERM="dumb")


SCREEN = """
from pipeline_dsl.cli.live import LiveScreen
screen = LiveScreen()
screen.busy("looking " * 30)
screen.line("  a long line " + "in words " * 20)
for step in range(1, 5):
    screen.count(f"pretraining step {step} of 4, loss 5.00", step, 4)
screen.stop()
screen.stop()
"""


def test_what_counts_its_steps_is_a_bar_and_long_lines_are_cut_or_folded(tmp_path):
    drawn = lines(written("-c", SCREEN, cwd=tmp_path))
    assert any(re.search(r"4/4 pretraining, loss 5.00", line) for line in drawn)
    assert any(re.match(r"[-\\|/] looking looking .*…", line) for line in drawn)
    assert any(line.startswith("      ") and "in words" in line for line in drawn)
    assert max(map(cells, drawn)) <= 80
