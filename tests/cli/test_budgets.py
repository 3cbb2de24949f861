"""What a command loads decides how fast it starts; seconds differ between machines, imports do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parent.parent.parent / "recipes"
MODELS = {"torch", "transformers", "peft", "accelerate", "datasets", "bitsandbytes", "tokenizers", "numpy"}


def loaded_by(*arguments: str, cwd: Path) -> set[str]:
    code = (
        "import sys; from pipeline_dsl.cli.main import main; "
        f"main({list(arguments)!r}); print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cwd)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [["--version"], [], ["--help"], ["runs", "list"], ["explain"], ["explain", "MR101"]],
    ids=" ".join,
)
def test_small_commands_load_no_grammar_no_model_and_no_rich(words, tmp_path):
    assert not loaded_by(*words, cwd=tmp_path) & {*MODELS, "lark", "rich", "jsonschema", "psutil"}


def test_the_version_and_the_overview_load_no_plugin_machinery(tmp_path):
    assert not loaded_by("--version", cwd=tmp_path) & {"pluggy", "importlib.metadata", "pipeline_dsl.api"}


def test_check_loads_no_model_code_and_draws_nothing(tmp_path):
    loaded = loaded_by("check", str(RECIPES / "medgemma_korean.sdn"), cwd=tmp_path)
    assert not loaded & {*MODELS, "rich", "psutil"}
    assert "pipeline_dsl.plan.check" in loaded


def test_resolve_and_sdn_load_no_plugin(tmp_path):
    (tmp_path / "a.sdn").write_text("a: 1\n", encoding="utf-8")
    for words in (["resolve", "a.sdn"], ["sdn", "to-json", "a.sdn"]):
        loaded = loaded_by(*words, cwd=tmp_path)
        assert not any(name.startswith("medrecipe_plugins") for name in loaded)


def test_no_module_of_the_command_line_loads_a_command_before_it_is_called(tmp_path):
    loaded = loaded_by("--help", cwd=tmp_path)
    assert {name for name in loaded if name.startswith("pipeline_dsl.cli.")} == {
        "pipeline_dsl.cli.main",
        "pipeline_dsl.cli.groups",
        "pipeline_dsl.cli.collecting",
    }
