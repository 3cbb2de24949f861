"""Rows that are conversations, of every tool: they go through the template ``conversation``."""

from __future__ import annotations

import json

import pytest

from pipeline_dsl.cli.main import main

QLORA = """\
base_model: meta-llama/Llama-3.2-1B
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
datasets:
  - path: data/alpaca.jsonl
    type: alpaca
sequence_len: 1024
micro_batch_size: 2
learning_rate: 2e-4
"""

OPENAI = {"messages": [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "The liver."}]}
SHAREGPT = {"conversations": [{"from": "human", "value": "Which?"}, {"from": "gpt", "value": "The liver."}]}
FACTORY = """\
model_name_or_path: a/b
stage: sft
finetuning_type: lora
dataset: talks
template: llama3
cutoff_len: 512
learning_rate: 1e-4
"""
TUNE = """\
model:
  _component_: torchtune.models.llama3.lora_llama3_8b
  lora_attn_modules: [q_proj]
tokenizer: {_component_: torchtune.models.llama3.llama3_tokenizer, max_seq_len: 512}
checkpointer: {checkpoint_dir: /models/a}
dataset:
  _component_: torchtune.datasets.chat_dataset
  source: json
  data_files: data/talks.json
  conversation_column: conversations
  conversation_style: sharegpt
  new_system_prompt: Be brief.
optimizer: {_component_: torch.optim.AdamW, lr: 1e-4}
batch_size: 2
"""
TRL = "model_name_or_path: a/b\nuse_peft: true\ndataset_name: data/talks.jsonl\nassistant_only_loss: true\n"


@pytest.fixture
def talks(folder):
    """Conversations as a JSON list in ShareGPT's form, and a row a line in OpenAI's."""
    (folder / "data" / "talks.json").write_text(json.dumps([SHAREGPT] * 5), encoding="utf-8")
    (folder / "data" / "talks.jsonl").write_text(f"{json.dumps(OPENAI)}\n" * 5, encoding="utf-8")
    return folder


@pytest.fixture
def recipe(imported, talks, capsys):
    """Import a config; return what the recipe has for its rows, its template, and its text."""

    def do(config, *arguments):
        done = imported(config, "--out", "recipe.sdn", *arguments)
        assert done.code == 0, done.err
        capsys.readouterr()
        main(["resolve", "recipe.sdn", "--json"])
        values = json.loads(capsys.readouterr().out)["recipe"]
        (line,) = values["phases"]["sft"]["mix"]
        name = line["data"].partition(".")[0]
        return values["data"][name], line["template"], (talks / "recipe.sdn").read_text(encoding="utf-8")

    return do


def axolotl(kind, path, more=""):
    return QLORA.replace("type: alpaca", f"type: {kind}{more}").replace("data/alpaca.jsonl", path)


@pytest.mark.parametrize(
    ("config", "use", "columns"),
    [
        (axolotl("chat_template", "data/talks.jsonl"), "jsonl", None),
        (axolotl("sharegpt", "data/talks.json"), "json", {"messages": "conversations"}),
        (
            axolotl(
                "chat_template", "data/talks.json",
                "\n    field_messages: conversations\n    message_property_mappings: {role: from, content: value}",
            ),
            "json", {"messages": "conversations"},
        ),
        (TRL, "jsonl", None),
    ],
)  # fmt: skip
def test_they_go_through_the_template_of_conversations(recipe, config, use, columns):
    data, template, text = recipe(config)
    assert (data["use"], data.get("columns"), template) == (use, columns, "conversation")
    assert "field_messages" not in text
    assert "message_property" not in text


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ("", None),
        ("mask_history: true\n", {"learn": "last"}),
        ("default_system: Be brief.\n", {"system": "Be brief."}),
    ],
)
def test_those_of_llama_factory_keep_system_prompt_and_masked_history(recipe, talks, more, options):
    info = {"talks": {"file_name": "talks.json", "formatting": "sharegpt"}}
    (talks / "data" / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    data, template, text = recipe(FACTORY + more)
    assert (data["use"], data["columns"]) == ("json", {"messages": "conversations"})
    assert template == ({"use": "conversation", **options} if options else "conversation")
    assert "mask_history" not in text


def test_a_system_prompt_by_row_is_a_column(recipe, talks):
    rows = [SHAREGPT | {"role_card": "Be brief."}, SHAREGPT | {"role_card": ""}]
    (talks / "data" / "talks.json").write_text(json.dumps(rows), encoding="utf-8")
    info = {"formatting": "sharegpt", "columns": {"messages": "conversations", "system": "role_card"}}
    text = json.dumps({"talks": {"file_name": "talks.json", **info}})
    (talks / "data" / "dataset_info.json").write_text(text, encoding="utf-8")
    data, template, _ = recipe(FACTORY)
    assert data["columns"] == {"messages": "conversations", "system": "role_card"}
    assert template == {"use": "conversation", "row_system": True}


def test_those_of_torchtune_keep_their_system_prompt(recipe):
    data, template, _ = recipe(TUNE)
    assert data["columns"] == {"messages": "conversations"}
    assert template == {"use": "conversation", "system": "Be brief."}


def test_that_several_exchanges_are_several_samples_is_told_where_there_are_several(recipe, talks):
    assert (
        "one with several answers is several samples"
        not in recipe(axolotl("chat_template", "data/talks.jsonl"))[2]
    )
    longer = {"messages": OPENAI["messages"] * 2}
    (talks / "data" / "talks.jsonl").write_text(f"{json.dumps(longer)}\n" * 5, encoding="utf-8")
    assert (
        "one with several answers is several samples"
        in recipe(axolotl("chat_template", "data/talks.jsonl"), "--force")[2]
    )


def test_that_trl_learns_all_turns_is_told(recipe):
    assert "here the answers alone" in recipe(TRL.replace("assistant_only_loss: true\n", ""))[2]


@pytest.mark.parametrize(
    "about",
    [
        {"formatting": "own"},
        {"formatting": "sharegpt", "tags": {"role_tag": "speaker"}},
        {"formatting": "sharegpt", "tags": {"user_tag": ["human"]}},
        {"formatting": "sharegpt", "columns": {"messages": "conversations", "tools": "tools"}},
        {"formatting": "sharegpt", "columns": {"messages": "elsewhere"}},
    ],
)
def test_a_form_that_the_template_does_not_know_is_refused(imported, talks, about):
    info = {"talks": {"file_name": "talks.json", **about}}
    (talks / "data" / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    done = imported(FACTORY)
    assert (done.code, "MR276" in done.err) == (2, True)


def test_other_keys_of_turns_are_refused(imported, talks):
    done = imported(axolotl("chat_template", "data/talks.jsonl", "\n    message_field_role: speaker"))
    assert (done.code, "MR276" in done.err) == (2, True)
