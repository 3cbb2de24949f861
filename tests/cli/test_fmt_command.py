from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

UNTIDY, TIDY = "seed:42\nt|a,b|\n 한국,1\n x,2\n", "seed: 42\nt |a, b|\n    한국, 1\n    x,    2\n"


@pytest.fixture
def stdin(monkeypatch):
    def give(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return give


def test_a_file_is_replaced_whole_and_named(medrecipe, tmp_path):
    path = tmp_path / "a.sdn"
    path.write_text(UNTIDY, encoding="utf-8")
    path.chmod(0o640)
    before = path.stat().st_ino
    result = medrecipe("fmt", "a.sdn")
    assert (result.code, result.out, result.err) == (0, "a.sdn: formatted\n", "")
    assert path.read_text("utf-8") == TIDY
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_its_normal_form_is_not_written(medrecipe, tmp_path):
    path = tmp_path / "a.sdn"
    path.write_text(TIDY, encoding="utf-8")
    before = path.stat()
    assert medrecipe("fmt", "a.sdn").out == ""
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_stays_a_link(medrecipe, tmp_path):
    (tmp_path / "a.sdn").write_text(UNTIDY, encoding="utf-8")
    (tmp_path / "link.sdn").symlink_to("a.sdn")
    assert medrecipe("fmt", "link.sdn").code == 0
    assert (tmp_path / "link.sdn").is_symlink()
    assert (tmp_path / "a.sdn").read_text("utf-8") == TIDY


def test_a_byte_order_mark_stays_and_line_ends_become_line_feeds(medrecipe, tmp_path):
    (tmp_path / "a.sdn").write_bytes(b"\xef\xbb\xbfa:1\r\n")
    assert medrecipe("fmt", "a.sdn").code == 0
    assert (tmp_path / "a.sdn").read_bytes() == b"\xef\xbb\xbfa: 1\n"


def test_check_lists_and_writes_nothing(medrecipe, tmp_path):
    for name, text in {"a.sdn": UNTIDY, "b.sdn": TIDY}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    result = medrecipe("fmt", "--check", "a.sdn", "b.sdn")
    assert (result.code, result.out) == (1, "a.sdn: would be formatted\n")
    assert (tmp_path / "a.sdn").read_text("utf-8") == UNTIDY
    assert medrecipe("fmt", "--check", "b.sdn").code == 0


def test_a_diff_can_be_applied(medrecipe, tmp_path):
    (tmp_path / "a.sdn").write_text(UNTIDY.rstrip("\n"), encoding="utf-8")
    result = medrecipe("fmt", "--diff", "a.sdn")
    assert result.code == 0
    assert (tmp_path / "a.sdn").read_text("utf-8") == UNTIDY.rstrip("\n")
    subprocess.run(
        ["git", "apply", "-"], input=result.out, text=True, encoding="utf-8", check=True, cwd=tmp_path
    )
    assert (tmp_path / "a.sdn").read_text("utf-8") == TIDY


def test_a_diff_with_check_is_a_diff_on_stdout_and_exits_with_1(medrecipe, tmp_path):
    (tmp_path / "a.sdn").write_text(UNTIDY, encoding="utf-8")
    result = medrecipe("fmt", "--diff", "--check", "a.sdn")
    assert (result.code, result.err) == (1, "a.sdn: would be formatted\n")
    assert result.out.startswith("--- a/a.sdn\n+++ b/a.sdn\n@@ ")


def test_a_file_with_mistakes_is_left_as_it_is_and_the_others_are_written(medrecipe, tmp_path):
    wrong = "a : 1\nb 2\nc: [\n"
    (tmp_path / "a.sdn").write_text(wrong)
    (tmp_path / "b.sdn").write_text(UNTIDY, encoding="utf-8")
    result = medrecipe("fmt", "a.sdn", "none.sdn", "b.sdn")
    assert (result.code, result.out) == (2, "b.sdn: formatted\n")
    assert [code for code in ("MR120", "MR140", "MR101") if f"error[{code}]" not in result.err] == []
    assert (tmp_path / "a.sdn").read_text() == wrong
    assert (tmp_path / "b.sdn").read_text("utf-8") == TIDY


def test_a_dash_reads_standard_input_and_writes_standard_output(medrecipe, stdin):
    stdin(UNTIDY)
    assert medrecipe("fmt", "-").out == TIDY
    stdin(TIDY)
    assert medrecipe("fmt", "-").out == TIDY
    stdin(UNTIDY)
    assert (medrecipe("fmt", "--check", "-").code, medrecipe("fmt", "--check", "-").out) == (1, "")


def test_standard_input_with_mistakes_gives_no_output(medrecipe, stdin):
    stdin("a 1\n")
    result = medrecipe("fmt", "-")
    assert (result.code, result.out) == (2, "")


def test_a_text_that_would_grow_past_the_limit_is_left_as_it_is(medrecipe, tmp_path):
    deep = "".join(f"{' ' * depth}a:\n" for depth in range(40))
    text = deep + "".join(f"{' ' * 40}k{number}: 1\n" for number in range(8_000))
    (tmp_path / "a.sdn").write_text(text)
    result = medrecipe("fmt", "a.sdn")
    assert result.code == 2
    assert "error[MR104]: the normal form of this text is larger than 1 MiB" in result.err
    assert (tmp_path / "a.sdn").read_text() == text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_cannot_be_written_is_told(medrecipe, tmp_path):
    (tmp_path / "a.sdn").write_text(UNTIDY, encoding="utf-8")
    tmp_path.chmod(0o500)
    result = medrecipe("fmt", "a.sdn")
    tmp_path.chmod(0o700)
    assert result.code == 5
    assert "cannot write" in result.err


def test_fmt_loads_no_plugin_and_draws_nothing(tmp_path):
    (tmp_path / "a.sdn").write_text(TIDY, encoding="utf-8")
    code = "import sys; from pipeline_dsl.cli.main import main; main(['fmt', 'a.sdn']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    loaded = set(done.stdout.split())
    assert not any(name.startswith("medrecipe_plugins") for name in loaded)
    assert not loaded & {"torch", "transformers", "numpy", "rich", "jsonschema"}


def test_the_recipes_need_no_formatting(medrecipe):
    recipes = sorted(map(str, (Path(__file__).parents[2] / "recipes").glob("*.sdn")))
    assert medrecipe("fmt", "--check", *recipes).code == 0


@pytest.mark.parametrize(
    "text", ["a: " + "[" * 100_000, "a: 1\n" * 2_000_000, "".join(f"{' ' * d}a:\n" for d in range(1_400))], ids=["deep", "large", "blocks"]
)  # fmt: skip
def test_a_text_past_the_limits_is_refused_within_a_second(medrecipe, tmp_path, text):
    (tmp_path / "a.sdn").write_text(text)
    medrecipe("fmt", "none.sdn")
    start = time.process_time()
    assert medrecipe("fmt", "a.sdn").code == 2
    assert time.process_time() - start < 1


def test_recipes_that_extend_each_other_are_formatted_and_refused_by_check_within_a_second(
    medrecipe, tmp_path
):
    for name, other in {"a.sdn": "b.sdn", "b.sdn": "a.sdn"}.items():
        (tmp_path / name).write_text(f"extends: {other}\n")
    medrecipe("check", "none.sdn")
    start = time.process_time()
    assert medrecipe("fmt", "--check", "a.sdn").code == 0
    result = medrecipe("check", "a.sdn")
    assert result.code == 2
    assert result.err.count("error[MR212]: recipes extend each other") == 1
    assert time.process_time() - start < 1
