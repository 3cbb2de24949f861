from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_dsl.cli import fixing
from pipeline_dsl.cli.prepare import Choices

SLIPS = [
    ("train: {use: fake}", "train: {use: fake, max_step: 4}", "train: {use: fake, max_steps: 4}"),
    ("    first: {use: fake", "    first: {use: fakke", "    first: {use: fake"),
    ("            first, train", "            frist, train", "            first, train"),
    ("            first, merge", "            first, mergee", "            first, merge"),
    ("        task: fluency", "        task: fluenzy", "        task: fluency"),
    ("        task: fluency", "        tsak: fluency", "        task: fluency"),
    ("            texts, plain_text\n    two", "            textz, plain_text\n    two", "            texts, plain_text\n    two"),
    ("recipe: 연습", "recipe: 2024", 'recipe: "2024"'),
    ("train: {use: fake}", 'train: {use: fake, max_steps: "4"}', "train: {use: fake, max_steps: 4}"),
    ("train: {use: fake}", "train: {use: fake, max_steps: 4.0}", "train: {use: fake, max_steps: 4}"),
    ("    second: {use: fake}", "    second: {usse: fake}", "    second: {use: fake}"),
    ("    second: {use: fake}", "    second: {like: fisrt}", "    second: {like: first}"),
    ("phases:", "hooks |on, do|\n    epoch_complete, log\nphases:", "hooks |on, do|\n    epoch_completed, log\nphases:"),
    ("phases:", 'hooks |on, when, do|\n    started, "los < 1", log\nphases:', 'hooks |on, when, do|\n    started, "loss < 1", log\nphases:'),
    ("recipe: 연습", 'recipe: 연습\nseed: 3\ndescription: "a ${sed} b"', 'recipe: 연습\nseed: 3\ndescription: "a ${seed} b"'),
    ("recipe: 연습", "recipe: 연습\ndefault_profile: tinny", "recipe: 연습\ndefault_profile: tiny"),
    ("plain_text, perplexity", "plain_tex, perplexity", "plain_text, perplexity"),
    ("plain_text, perplexity", "plain_text, perplexty", "plain_text, perplexity"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "slip", "mended"), SLIPS)
def test_a_slip_is_mended_and_every_other_byte_stays(medrecipe, recipe, good, slip, mended):
    text = recipe.read_text(encoding="utf-8")
    wrong = text.replace(good, slip, 1)
    assert wrong != text
    recipe.write_text(f"# kept  \n{wrong}", encoding="utf-8")
    result = medrecipe("check", "--fix", "r.sdn")
    assert recipe.read_text(encoding="utf-8") == f"# kept  \n{text.replace(good, mended, 1)}"
    assert result.code == 0
    assert result.out.startswith("r.sdn: fine (")
    assert ": fixed MR" in result.err


def test_what_was_mended_is_told_with_its_place_and_its_code(medrecipe, recipe):
    recipe.write_text(recipe.read_text() + "sede: 7\nsetd: 7\n")
    result = medrecipe("check", "--fix", "r.sdn")
    assert result.err.startswith("r.sdn:28:1: fixed MR201: write `seed`\nerror[MR201]: `setd` is not a key")
    assert result.code == 2


def test_a_fix_that_shows_another_slip_has_that_mended_too(medrecipe, recipe):
    recipe.write_text(recipe.read_text().replace("train: {use: fake}", "train == {use: fakke, max_step: +4}"))
    result = medrecipe("check", "--fix", "r.sdn")
    assert "train = {use: fake, max_steps: 4}\n" in recipe.read_text()
    assert result.code == 0
    assert result.err.count("fixed") == 4


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_line_ends_the_byte_order_mark_and_the_mode_are_kept(medrecipe, recipe, line_end):
    text = recipe.read_text(encoding="utf-8").replace("\n", line_end)
    recipe.write_bytes(b"\xef\xbb\xbf" + text.replace("perplexity", "perplexty").encode())
    recipe.chmod(0o640)
    assert medrecipe("check", "--fix", "r.sdn").code == 0
    assert recipe.read_bytes() == b"\xef\xbb\xbf" + text.encode()
    assert recipe.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(medrecipe, recipe, tmp_path):
    (tmp_path / "real.sdn").write_text(recipe.read_text() + "sede: 7\n")
    recipe.unlink()
    recipe.symlink_to("real.sdn")
    assert medrecipe("check", "--fix", "r.sdn").code == 0
    assert recipe.is_symlink()
    assert (tmp_path / "real.sdn").read_text().endswith("\nseed: 7\n")


def test_what_is_fine_is_not_written(medrecipe, recipe):
    before = recipe.stat()
    assert medrecipe("check", "--fix", "r.sdn").code == 0
    assert recipe.stat().st_ino == before.st_ino
    assert recipe.stat().st_mtime_ns == before.st_mtime_ns


def test_what_is_only_offered_is_not_written(medrecipe, recipe):
    text = recipe.read_text() + "seed: 7\nseed: 8\n"
    recipe.write_text(text)
    assert medrecipe("check", "--fix", "r.sdn").code == 2
    assert recipe.read_text() == text


def test_a_key_that_stands_there_already_is_not_written_twice(medrecipe, recipe):
    text = recipe.read_text().replace("train: {use: fake}", "train: {use: fake, max_steps: 4, max_step: 5}")
    recipe.write_text(text)
    assert medrecipe("check", "--fix", "r.sdn").code == 2
    assert recipe.read_text() == text


def test_names_that_differ_in_a_digit_are_two_names(medrecipe, recipe):
    text = recipe.read_text().replace("first", "stage1").replace("stage1, train", "stage2, train")
    recipe.write_text(text)
    assert medrecipe("check", "--fix", "r.sdn").code == 2
    assert recipe.read_text() == text


def test_a_fix_that_would_lead_to_another_mistake_is_not_made(medrecipe, recipe):
    text = recipe.read_text().replace("train: {use: fake}", 'train: {use: fake, max_steps: "0"}')
    recipe.write_text(text)
    result = medrecipe("check", "--fix", "r.sdn")
    assert recipe.read_text() == text
    assert "fixed" not in result.err


def test_a_file_that_is_extended_is_mended_only_where_it_is_named(medrecipe, recipe, tmp_path):
    base = tmp_path / "base.sdn"
    base.write_text("train: {max_step: 4}\n")
    recipe.write_text("extends: base.sdn\n" + recipe.read_text())
    first = medrecipe("check", "--fix", "r.sdn")
    assert first.code == 2
    assert "base.sdn is not named, and is left as it is" in first.err
    assert base.read_text() == "train: {max_step: 4}\n"
    medrecipe("check", "--fix", "r.sdn", "base.sdn")
    assert base.read_text() == "train: {max_steps: 4}\n"
    assert medrecipe("check", "r.sdn").code == 0


def test_a_slip_in_an_argument_is_not_mended(medrecipe, recipe):
    text = recipe.read_text()
    assert medrecipe("check", "--fix", "r.sdn", "--set", "train.max_step=4").code == 2
    assert medrecipe("check", "--fix", "r.sdn", "--profile", "tinny").code == 2
    assert recipe.read_text() == text


def test_a_file_with_a_secret_is_left_alone(medrecipe, recipe):
    text = recipe.read_text() + f"description: hf_{'a' * 20}\nsede: 7\n"
    recipe.write_text(text)
    assert medrecipe("check", "--fix", "r.sdn").code == 2
    assert recipe.read_text() == text


def test_a_file_that_changed_meanwhile_is_left_alone(medrecipe, recipe, monkeypatch):
    recipe.write_text(recipe.read_text() + "sede: 7\n")
    mend = fixing.mend

    def slow(recipes, choices):
        mended = mend(recipes, choices)
        recipe.write_text("recipe: another\n")
        return mended

    monkeypatch.setattr(fixing, "mend", slow)
    result = medrecipe("check", "--fix", "r.sdn")
    assert result.code == 5
    assert "changed while it was checked" in result.err
    assert recipe.read_text() == "recipe: another\n"


def test_the_differences_are_a_patch_and_nothing_is_written(medrecipe, recipe, tmp_path):
    text = recipe.read_text(encoding="utf-8").rstrip("\n").replace("perplexity", "perplexty")
    recipe.write_text(text, encoding="utf-8")
    result = medrecipe("check", "--diff", "r.sdn")
    assert result.code == 2
    assert recipe.read_text(encoding="utf-8") == text
    if shutil.which("patch"):
        subprocess.run(
            ["patch", "-p1", "-s"], input=result.out, text=True, encoding="utf-8", check=True, cwd=tmp_path
        )
        assert medrecipe("check", "r.sdn").code == 0


def test_the_differences_of_what_is_fine_are_empty(medrecipe, recipe):
    result = medrecipe("check", "--diff", "r.sdn")
    assert (result.code, result.out) == (0, "")


def test_standard_input_is_mended_to_standard_output(recipe, tmp_path):
    text = recipe.read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline_dsl.cli.main", "check", "--fix", "-"],
        input=text + "sede: 7\n", text=True, encoding="utf-8", capture_output=True, cwd=tmp_path, check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, text + "seed: 7\n")
    assert done.stderr.startswith("-:28:1: fixed MR201: write `seed`\n-: fine")


@pytest.mark.parametrize("words", [["--fix", "--diff", "r.sdn"], ["--fix", "-", "--format", "json"]])
def test_what_would_write_two_things_to_one_place_is_a_usage_error(medrecipe, recipe, words):
    result = medrecipe("check", *words)
    assert result.code == 2
    assert result.err.startswith("Usage: ")


def test_fixes_are_part_of_the_json(medrecipe, recipe):
    recipe.write_text(recipe.read_text() + "sede: 7\n")
    (found,) = json.loads(medrecipe("check", "r.sdn", "--format", "json").out)["diagnostics"]
    (fix,) = found["fixes"]
    assert (fix["message"], fix["safe"]) == ("write `seed`", True)
    edit = {"file": "r.sdn", "line": 28, "column": 1, "end_line": 28, "end_column": 5, "text": "seed"}
    assert fix["edits"] == [edit]
    told = json.loads(medrecipe("check", "--fix", "r.sdn", "--format", "json").out)
    assert told["diagnostics"] == []
    assert [(f["code"], f["line"]) for f in told["fixed"]] == [("MR201", 28)]


def test_mending_ends_when_nothing_helps(recipe, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    recipe.write_text(recipe.read_text() + "\n".join(f"a{i} == 1" for i in range(40)) + "\n")
    mended = fixing.mend(["r.sdn"], Choices())
    assert len(mended.made) == 40
    assert "==" not in mended.after[str(Path("r.sdn").resolve())]
