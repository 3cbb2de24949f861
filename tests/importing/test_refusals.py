"""What cannot become a recipe is refused with a code, at its place, and nothing is written."""

from __future__ import annotations

import pytest

from pipeline_dsl.recipe.secrets import token_places

QLORA = """\
base_model: meta-llama/Llama-3.2-1B
adapter: qlora
load_in_4bit: true
lora_r: 16
lora_alpha: 32
lora_target_linear: true
datasets:
  - path: data/alpaca.jsonl
    type: alpaca
sequence_len: 1024
micro_batch_size: 2
gradient_accumulation_steps: 4
learning_rate: 2e-4
bf16: true
seed: 1
"""
FACTORY = """\
model_name_or_path: a/b
stage: sft
finetuning_type: lora
dataset: a/rows
template: llama3
cutoff_len: 512
"""
TRL = "model_name_or_path: a/b\nuse_peft: true\ndataset_name: a/rows\ndataset_text_field: text\n"
TUNE = """\
model:
  _component_: torchtune.models.llama3.lora_llama3_8b
  lora_attn_modules: [q_proj]
tokenizer: {_component_: torchtune.models.llama3.llama3_tokenizer, max_seq_len: 512}
checkpointer: {checkpoint_dir: /models/a}
dataset: {_component_: torchtune.datasets.alpaca_dataset}
optimizer: {_component_: torch.optim.AdamW, lr: 1e-4}
"""


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        (changed(QLORA, "adapter: qlora\nload_in_4bit: true\n", ""), "MR275", ""),
        (QLORA + "rl: dpo\n", "MR275", ":16:1"),
        (QLORA + "lora_model_dir: ./out\n", "MR275", ":16:1"),
        (QLORA + "processor_type: AutoProcessor\n", "MR275", ":16:1"),
        (changed(QLORA, "type: alpaca", "type: chat_template"), "MR276", ":9:5"),
        (changed(QLORA, "type: alpaca", "type: sharegpt"), "MR276", ":9:5"),
        (changed(QLORA, "type: alpaca", "type: unheard_of"), "MR276", ":9:5"),
        (changed(QLORA, "data/alpaca.jsonl", "data"), "MR276", ":8:5"),
        (changed(QLORA, "lora_r: 16", "lora_r: eight"), "MR277", ":4:9"),
        (changed(QLORA, "lora_r: 16", "lora_r: 16.5"), "MR277", ":4:9"),
        (changed(QLORA, "lora_r: 16", "lora_r: 0"), "MR277", ":4:9"),
        (changed(QLORA, "lora_r: 16", "lora_r: [16]"), "MR277", ":4:9"),
        (changed(QLORA, "load_in_4bit: true", "load_in_4bit: maybe"), "MR277", ":3:15"),
        (changed(QLORA, "base_model: meta-llama/Llama-3.2-1B\n", ""), "MR278", ""),
        (changed(QLORA, "learning_rate: 2e-4\n", ""), "MR278", ""),
        (changed(FACTORY, "stage: sft", "stage: dpo"), "MR275", ":2:1"),
        (changed(FACTORY, "finetuning_type: lora", "finetuning_type: full"), "MR275", ":3:1"),
        (FACTORY + "adapter_name_or_path: saves/other\n", "MR275", ":7:1"),
        (FACTORY + "quantization_bit: 3\n", "MR277", ":7:1"),
        (FACTORY + "quantization_bit: 4\nquantization_method: hqq\n", "MR277", ":8:1"),
        (changed(FACTORY, "dataset: a/rows\n", ""), "MR278", ""),
        (changed(TRL, "use_peft: true", "use_peft: false"), "MR275", ":2:1"),
        (TRL + "beta: 0.1\n", "MR275", ":5:1"),
        (TRL + "completion_only_loss: true\ntorch_dtype: int8\n", "MR277", ":6:1"),
        (changed(TUNE, "lora_llama3_8b", "llama3_8b"), "MR275", ":2:3"),
        (changed(TUNE, "alpaca_dataset", "multimodal_chat_dataset"), "MR276", ":6:11"),
        (
            changed(TUNE, "alpaca_dataset", "chat_dataset, source: a/b, conversation_style: own"),
            "MR276",
            ":6:11",
        ),
        (
            changed(
                changed(TUNE, "alpaca_dataset", "chat_dataset, source: a/b"),
                "llama3.llama3_tokenizer",
                "mistral.mistral_tokenizer",
            ),
            "MR276",
            ":6:11",
        ),
        (TUNE + "loss: {_component_: torchtune.rlhf.loss.DPOLoss}\n", "MR275", ":8:1"),
    ],
)
def test_it_is_refused_at_its_place(text, code, place, imported, folder):
    done = imported(text, "--out", "recipe.sdn")
    assert done.code == 2
    assert f"error[{code}]" in done.err
    assert f"config.yaml{place}" in done.err or not place
    assert done.out == ""
    assert not (folder / "recipe.sdn").exists()


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: [1, 2\nb: 3\n", "MR270", ":2:2"),
        ("a: b: c\n", "MR270", ":1:5"),
        ("\tkey: 1\n", "MR270", ":1:1"),
        ("a: *nowhere\n", "MR270", ":1:4"),
        ("a: 1\n---\nb: 2\n", "MR270", ":2:1"),
        ("- a\n- b\n", "MR271", ":1:1"),
        ("just words\n", "MR271", ":1:1"),
        ("", "MR271", ":1:1"),
        ("? [a, b]\n: 1\n", "MR271", ":1:3"),
        ("a: &a [*a]\n", "MR271", ""),
        ("a: !!python/object/apply:os.system [ls]\n", "MR273", ":1:4"),
        ("a: !mine x\n", "MR273", ":1:4"),
        ("a: !!binary aGk=\n", "MR273", ":1:4"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "MR272", ":4:3"),
        ("key: 1\nother: 2\n", "MR274", ":1:1"),
    ],
)
def test_a_text_that_is_no_config_is_refused(text, code, place, imported):
    done = imported(text)
    assert done.code == 2
    assert f"error[{code}]" in done.err
    assert f"config.yaml{place}" in done.err


def test_both_places_of_a_key_are_shown(imported):
    done = imported(QLORA + "lora_r: 32\n")
    assert "--> config.yaml:16:1" in done.err
    assert "::: config.yaml:4:1" in done.err


def test_aliases_do_not_grow_out_of_bounds(imported):
    layers = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    done = imported(f"l0: &l0 [x, x]\n{layers}")
    assert done.code == 2
    assert "MR271" in done.err


def test_a_file_over_one_mebibyte_is_refused(imported):
    assert imported("a: " + "x" * (1 << 20)).code == 2


def test_a_text_of_thousands_of_keys_is_no_config(imported):
    done = imported(QLORA + "".join(f"key_{n}: 1\n" for n in range(3000)))
    assert (done.code, "MR271" in done.err) == (2, True)


def test_standard_input_is_no_file(folder):
    from_stdin = run_import("-")
    assert from_stdin[0] == 2
    assert "read from a file" in from_stdin[1]


def run_import(*arguments: str) -> tuple[int, str]:
    import contextlib
    import io

    from pipeline_dsl.cli.main import main

    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        code = main(["import", *arguments])
    return code, err.getvalue()


def test_a_file_that_is_not_there_is_told(folder):
    code, err = run_import("absent.yaml")
    assert (code, "absent.yaml" in err) == (2, True)


def test_keys_of_two_tools_are_ambiguous_until_one_is_named(imported):
    text = "base_model: a/b\nadapter: lora\nstage: sft\ncutoff_len: 512\n"
    done = imported(text)
    assert "MR274" in done.err
    assert "axolotl by base_model" in done.err
    assert "llama-factory by stage" in done.err
    assert "MR274" not in imported(text, "--from", "axolotl").err


@pytest.mark.parametrize("kind", ["alpaca", "{field_instruction: messages}"])
def test_rows_that_are_seen_to_be_conversations_and_said_to_be_others_are_refused(imported, folder, kind):
    (folder / "chat.jsonl").write_text('{"messages": [{"role": "user", "content": "a"}]}\n', encoding="utf-8")
    done = imported(
        changed(QLORA, "data/alpaca.jsonl", "chat.jsonl").replace("type: alpaca", f"type: {kind}")
    )
    assert (done.code, "MR276" in done.err) == (2, True)


SECRETS = {
    "wandb_api_key": "0123456789abcdef0123456789abcdef",
    "hub_token": "short-token-word",
    "hf_token": "hf_AbCdEfGhIjKlMnOpQrStUvWx",
    "some_note": "see hf_AbCdEfGhIjKlMnOpQrStUvWx",
    "password": "hunter2",
}


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_is_never_shown(key, imported):
    secret = SECRETS[key].removeprefix("see ")
    done = imported(f"{QLORA}{key}: {SECRETS[key]}\n")
    assert done.code == 0
    assert secret not in done.out + done.err
    assert f"#   {key}: (value not shown)" in done.out
    assert token_places(done.out) == []


def test_a_secret_is_not_shown_where_its_line_is_wrong(imported):
    done = imported(f"{QLORA}hub_token: aaaabbbbcccc1111\nhub_token: aaaabbbbcccc1111\n")
    assert "MR272" in done.err
    assert "aaaabbbbcccc1111" not in done.err
