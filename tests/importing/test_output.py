"""Where the recipe goes, what its paths count from, and what the exit code says."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_dsl.cli.main import main
from pipeline_dsl.importing.places import Places

QLORA = (Path(__file__).parent / "configs" / "axolotl" / "llama3_qlora_alpaca.yaml").read_text(
    encoding="utf-8"
)


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return code, out.getvalue(), err.getvalue()


def test_the_recipe_goes_to_stdout_and_the_talk_to_stderr(imported):
    done = imported(QLORA)
    assert done.out.startswith("# Imported from config.yaml, a config of axolotl")
    assert "carried 24 of 35 keys" in done.err
    assert "not carried: strict: false" in done.err


def test_what_is_printed_is_what_is_written(imported, folder):
    printed = imported(QLORA).out
    imported(QLORA, "--out", "recipe.sdn")
    assert (folder / "recipe.sdn").read_text(encoding="utf-8") == printed


def test_paths_are_written_as_seen_from_the_recipe(imported, folder):
    (folder / "recipes").mkdir()
    done = imported(QLORA, "--out", "recipes/ward.sdn")
    assert done.code == 0
    assert "path: ../data/alpaca.jsonl" in (folder / "recipes" / "ward.sdn").read_text(encoding="utf-8")
    assert run("check", "recipes/ward.sdn")[0] == 0


@pytest.mark.parametrize("path", ["/abs/rows.jsonl", "s3://bucket/rows.jsonl", "~/rows.jsonl"])
def test_absolute_paths_and_addresses_stay(path, tmp_path):
    assert Places(working=tmp_path, recipe=tmp_path / "recipes").written(path) == path


def test_a_file_is_replaced_only_by_force(imported, folder):
    (folder / "recipe.sdn").write_text("mine\n", encoding="utf-8")
    refused = imported(QLORA, "--out", "recipe.sdn")
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert (folder / "recipe.sdn").read_text(encoding="utf-8") == "mine\n"
    assert imported(QLORA, "--out", "recipe.sdn", "--force").code == 0


def test_data_that_is_missing_is_told_and_the_recipe_written_all_the_same(imported, folder):
    done = imported(QLORA.replace("data/alpaca.jsonl", "data/absent.jsonl"), "--out", "recipe.sdn")
    assert done.code == 3
    assert "MR500" in done.err or "absent.jsonl" in done.err
    assert (folder / "recipe.sdn").exists()


@pytest.mark.parametrize(
    ("config", "written", "meant"),
    [
        (QLORA.replace("lr_scheduler: ", "lr_schedular: "), "lr_schedular: ", "lr_scheduler"),
        (QLORA.replace("lora_dropout: ", "lora_drop_out: "), "lora_drop_out: ", "lora_dropout"),
        (QLORA + "weigth_decay: 0.1\n", "weigth_decay: ", None),  # `weight_decay` is there as well
        (QLORA + "nothing_near: 1\n", "nothing_near: ", None),
    ],
)
def test_a_key_that_looks_like_a_slip_of_one_that_is_lacking_is_told(imported, config, written, meant):
    done = imported(config)
    (line,) = [line for line in done.err.splitlines() if f"not carried: {written}" in line]
    assert line.endswith(f"; did you mean `{meant}`?" if meant else line)
    assert f"counterpart in a recipe{f'; did you mean `{meant}`?' if meant else ''}\n" in done.out


LIST = '[\n  {"instruction": "a", "input": "", "output": "b"},\n  {"instruction": "c", "input": "", "output": "d"}\n]'
LINES = '{"instruction": "a", "input": "", "output": "b"}\n{"instruction": "c", "input": "", "output": "d"}\n'


@pytest.mark.parametrize(("rows", "source"), [(LIST, "json"), (LINES, "jsonl"), (None, "json")])
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_a_json_list_and_rows_a_line_are_told_apart_by_what_is_in_the_file(
    imported, folder, name, rows, source
):
    if rows is not None:
        (folder / "data" / name).write_text(rows, encoding="utf-8")
    done = imported(QLORA.replace("data/alpaca.jsonl", f"data/{name}"))
    told = source if rows else name.partition(".")[2]
    assert (done.code, f"use: {told}\n" in done.out) == (0 if rows else 3, True)


def test_rows_of_a_json_list_are_counted_so_that_some_can_be_held_out(imported, folder):
    (folder / "data" / "list.json").write_text(f"[{', '.join([LINES.splitlines()[0]] * 10)}]")
    config = QLORA.replace("alpaca.jsonl", "list.json").replace("val_set_size: 0.2", "val_set_size: 3")
    assert "split: 0.7/0.3" in imported(config).out


def test_dollar_signs_of_a_config_are_text_in_the_recipe(imported):
    config = QLORA.replace("type: alpaca", 'type: {format: "${HOME} {instruction} ", field_output: output}')
    done = imported(config)
    assert "$${HOME}" in done.out


def test_the_command_line_needs_no_yaml_before_it_imports():
    program = "import sys; import pipeline_dsl.cli.main, pipeline_dsl.cli.import_recipe; print('yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
