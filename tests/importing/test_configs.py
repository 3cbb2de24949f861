"""Ten configs and more of each tool: each imports, and its recipe is sound for ``check``."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from pipeline_dsl.cli.main import main

CONFIGS = Path(__file__).parent / "configs"
TITLES = {
    "axolotl": "axolotl",
    "llama-factory": "LLaMA-Factory",
    "torchtune": "torchtune",
    "trl": "TRL's SFT",
}
FILES = [path for tool in TITLES for path in sorted((CONFIGS / tool).glob("*.yaml"))]


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return code, out.getvalue(), err.getvalue()


def recipe_of(path: Path) -> dict:
    return json.loads(run("resolve", str(path), "--json")[1])["recipe"]


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """Import one of the configs, from a folder that has its data; return the recipe as values."""

    def do(name: str) -> dict:
        path = CONFIGS / f"{name}.yaml"
        shutil.copytree(path.parent / "data", tmp_path / "data", dirs_exist_ok=True)
        (tmp_path / path.name).write_bytes(path.read_bytes())
        monkeypatch.chdir(tmp_path)
        code, _, err = run("import", path.name, "--out", "recipe.sdn", "--force")
        assert code == 0, err
        return recipe_of(tmp_path / "recipe.sdn")

    return do


def test_there_are_ten_of_each_tool():
    assert all(sum(path.parent.name == tool for path in FILES) >= 10 for tool in TITLES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_config_imports_and_its_recipe_passes_check(path: Path, brought, tmp_path):
    brought(f"{path.parent.name}/{path.stem}")
    assert run("check", "recipe.sdn")[0] == 0
    head = " ".join(re.sub(r"\n# ", " ", (tmp_path / "recipe.sdn").read_text(encoding="utf-8")[:400]).split())
    assert f"# Imported from {path.name}, a config of {TITLES[path.parent.name]}" in head


@pytest.mark.parametrize(
    ("name", "batch", "accumulation", "rate"),
    [
        ("axolotl/llama3_qlora_alpaca", 2, 4, 0.0002),
        ("axolotl/phi_qlora_hub", 2, 8, 0.000003),
        ("axolotl/handbook_text", 4, 8, 1e-4),  # batch_size: 32 in all
        ("llama-factory/llama3_lora_sft", 1, 8, 1e-4),
        ("torchtune/llama3_2_alpaca", 4, 8, 3e-4),
        ("trl/llama_pairs", 4, 4, 2e-4),
        ("trl/two_sources", 2, 1, 1e-4),
    ],
)
def test_the_effective_batch_and_the_rate_are_carried(name, batch, accumulation, rate, brought):
    train = brought(name)["train"]
    assert (train["batch_size"], train["grad_accum"], train["learning_rate"]) == (batch, accumulation, rate)


@pytest.mark.parametrize(
    ("name", "r", "alpha", "targets"),
    [
        ("axolotl/llama3_qlora_alpaca", 32, 16, "all-linear"),
        ("axolotl/gemma_custom_prompt", 16, 32, ["q_proj", "v_proj"]),
        ("llama-factory/llama3_lora_sft", 8, 16, "all-linear"),  # alpha is twice the rank there
        ("llama-factory/qwen_qlora", 16, 16, ["q_proj", "v_proj"]),
        (
            "torchtune/llama3_2_alpaca",
            64,
            128,
            ["q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        ),
        ("torchtune/phi3_mini", 8, 16, ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]),
        ("trl/hub_with_evaluation", 8, 16, ["q_proj", "v_proj"]),  # PEFT's choice for mistral
    ],
)
def test_the_adapter_is_carried(name, r, alpha, targets, brought):
    lora = brought(name)["adapters"]["lora"]
    assert (lora["r"], lora["alpha"], lora["target_modules"]) == (r, alpha, targets)


@pytest.mark.parametrize(
    ("name", "bits", "double"),
    [
        ("axolotl/llama3_qlora_alpaca", "nf4", True),
        ("axolotl/mistral_lora_completion", "int8", None),
        ("llama-factory/qwen_qlora", "nf4", False),
        ("llama-factory/mistral_int8", "int8", None),
        ("torchtune/llama3_2_qlora", "nf4", True),
        ("torchtune/mistral_paged", "nf4", True),
        ("trl/qwen_text_4bit", "nf4", True),
        ("trl/phi4_early_best", "nf4", False),  # TRL's default, not that of a recipe
    ],
)
def test_the_bits_of_the_base_are_carried(name, bits, double, brought):
    model = brought(name)["model"]
    assert (model["quantization"], model.get("double_quant")) == (bits, double)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("axolotl/llama3_qlora_alpaca", {"warmup_steps": 10, "lr_scheduler": "cosine"}),
        ("axolotl/qwen_two_sources", {"warmup_ratio": 0.03, "lr_scheduler": "linear"}),  # axolotl's default
        ("axolotl/mistral_lora_completion", {"warmup_ratio": 0.1, "lr_scheduler": "constant_with_warmup"}),
        ("axolotl/handbook_text", {"lr_scheduler": "cosine", "optimizer": "adamw_torch_fused"}),
        ("trl/llama_pairs", {"warmup_ratio": 0.03}),  # a share in warmup_steps
        ("trl/dora_streamed", {"warmup_steps": 100}),
        ("torchtune/mistral_paged", {"lr_scheduler": "constant", "optimizer": "paged_adamw_8bit"}),
        ("torchtune/qwen_steps", {"max_steps": 100}),  # 50 an epoch, two epochs
    ],
)
def test_schedule_and_optimizer_are_carried(name, expected, brought):
    train = brought(name)["train"]
    assert {key: train.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("axolotl/qwen_two_sources", "all"),
        ("axolotl/llama3_qlora_alpaca", None),
        ("llama-factory/korean_default_template", "all"),
        ("torchtune/llama3_2_alpaca", "all"),  # alpaca_dataset learns its prompts
        ("torchtune/phi3_mini", None),
        ("trl/epochs_saved", "all"),
        ("trl/llama_pairs", None),
    ],
)
def test_prompts_are_learned_where_they_were(name, loss, brought):
    assert brought(name)["train"].get("loss") == loss


def test_a_share_held_out_is_a_split_and_a_task(brought):
    recipe = brought("axolotl/llama3_qlora_alpaca")
    assert recipe["data"]["alpaca"]["split"] == "0.8/0.2"
    assert recipe["tasks"][0]["data"] == "alpaca.validation"
    assert recipe["tasks"][0]["metric"] == "loss"
    assert recipe["phases"]["sft"]["mix"][0]["data"] == "alpaca.train"


def test_a_number_of_rows_held_out_is_a_share_of_the_rows_that_are_there(brought):
    assert brought("axolotl/anchors_and_merges")["data"]["alpaca"]["split"] == "0.8/0.2"


def test_scores_early_stop_and_best_weights_are_hooks(brought):
    hooks = brought("axolotl/gemma_custom_prompt")["phases"]["sft"]["hooks"]
    assert hooks[0] == {
        "on": "iteration_completed",
        "every": 50,
        "do": {"use": "evaluate", "tasks": ["validation_loss"]},
    }
    assert {"use": "keep_best", "task": "validation_loss"} in [hook["do"] for hook in hooks]
    assert {"use": "early_stop", "monitor": "validation_loss", "patience": 3} in [
        hook["do"] for hook in hooks
    ]


def test_sources_that_are_read_one_after_the_other_weigh_as_much_as_they_have_rows(brought):
    mix = brought("axolotl/qwen_two_sources")["phases"]["sft"]["mix"]
    assert [row["weight"] for row in mix] == [10, 5]


def test_shares_that_are_given_are_the_weights(brought):
    mix = brought("llama-factory/dora_pissa_tokens")["phases"]["sft"]["mix"]
    assert [row["weight"] for row in mix] == [0.7, 0.3]


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("axolotl/llama3_qlora_alpaca", "alpaca"),
        ("axolotl/mistral_lora_completion", "plain_text"),
        ("llama-factory/llama3_lora_sft", {"use": "instruction", "input": True}),
        ("llama-factory/phi_alpaca_template", "alpaca"),
        (
            "llama-factory/system_prompt",
            {"use": "instruction", "system": "You are a careful medical assistant."},
        ),
        ("torchtune/llama3_2_alpaca", {"use": "alpaca", "chat": True}),
        ("torchtune/mistral_paged", "alpaca"),  # its tokenizer has no turns
        ("torchtune/qwen_steps", {"use": "alpaca", "chat": True, "input": False}),
        ("torchtune/gemma_plain_pairs", "plain_pair"),
        ("trl/csv_text", "plain_text"),
        ("trl/llama_pairs", "prompt_completion"),
    ],
)
def test_rows_go_through_the_template_that_makes_the_same_text(name, template, brought):
    assert brought(name)["phases"]["sft"]["mix"][0]["template"] == template


def test_a_prompt_of_the_config_is_a_template_of_the_recipe(brought):
    recipe = brought("axolotl/system_prompt")
    assert recipe["templates"]["faq_prompt"] == {
        "prompt": "You are a careful nurse.\n[QUESTION] {instruction}\n[ANSWER] ",
        "completion": "{output}",
    }
    assert recipe["data"]["faq"]["columns"] == {"instruction": "question", "output": "answer"}


def test_a_stream_is_a_stream(brought):
    notes = brought("llama-factory/streamed")["data"]["ward_notes"]
    assert (notes["streaming"], notes["shuffle_buffer"]) == (True, 2000)


def test_a_dataset_of_the_hub_keeps_its_name_revision_and_first_rows(brought):
    data = brought("axolotl/phi_qlora_hub")["data"]["medical-alpaca"]
    assert data["name"] == "example-lab/medical-alpaca"
    assert data["revision"] == "0123456789abcdef0123456789abcdef01234567"
    assert data["limit"] == 5000


def test_added_tokens_are_carried(brought):
    assert brought("axolotl/dora_tokens")["model"]["add_tokens"] == ["심근경색증", "간경변증"]
    assert brought("axolotl/dora_tokens")["adapters"]["lora"]["use_dora"] is True
