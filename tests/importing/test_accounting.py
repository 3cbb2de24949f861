"""No key of a config is dropped in silence, whatever it is called and wherever it stands."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_dsl.diagnostics import Diagnostic, Source
from pipeline_dsl.importing import yaml_text
from pipeline_dsl.importing.conversion import TOOLS, convert
from pipeline_dsl.importing.ledger import leaves, spelt
from pipeline_dsl.importing.places import Places
from pipeline_dsl.syntax.nodes import plain
from pipeline_dsl.syntax.parser import parse

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Several times as fast where PyYAML was built with libyaml."""
SEEDS = {
    "axolotl": {
        "base_model": "a/b", "adapter": "lora", "lora_r": 8, "lora_alpha": 16, "lora_target_linear": True,
        "datasets": [{"path": "a/rows", "type": "alpaca"}], "learning_rate": 1e-4, "sequence_len": 512,
    },
    "llama-factory": {
        "model_name_or_path": "a/b", "stage": "sft", "finetuning_type": "lora", "dataset": "a/rows",
        "template": "llama3", "cutoff_len": 512,
    },
    "torchtune": {
        "model": {"_component_": "torchtune.models.llama3.lora_llama3_8b", "lora_attn_modules": ["q_proj"]},
        "tokenizer": {"_component_": "torchtune.models.llama3.llama3_tokenizer", "max_seq_len": 512},
        "checkpointer": {"checkpoint_dir": "/models/a"},
        "dataset": {"_component_": "torchtune.datasets.alpaca_dataset"},
        "optimizer": {"_component_": "torch.optim.AdamW", "lr": 1e-4},
    },
    "trl": {
        "model_name_or_path": "a/b", "use_peft": True, "dataset_name": "a/rows", "dataset_text_field": "text",
    },
}  # fmt: skip
NAMES = st.text(st.sampled_from("abcdefgh_가나다"), min_size=3, max_size=12).filter(
    lambda name: name != "___"
)
VALUES = st.one_of(
    st.integers(0, 9),
    st.booleans(),
    st.text("xyz ", min_size=1, max_size=8),
    st.lists(st.integers(0, 3), max_size=3),
)
EXTRAS = st.dictionaries(NAMES, st.one_of(VALUES, st.dictionaries(NAMES, VALUES, max_size=2)), max_size=4)
WILD = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=6,
)
KNOWN = st.sampled_from(sorted({
    *(key for tool in TOOLS for key in tool.tells), "datasets", "dataset", "val_set_size", "save_steps", "optim",
    "eval_steps", "eval_strategy", "warmup_steps", "lora_r", "lora_rank", "lora_alpha", "bf16", "seed", "tokens",
    "learning_rate", "max_steps", "optimizer", "lr_scheduler", "logging_steps", "tokenizer", "model", "loss",
}))  # fmt: skip


def written(config: dict) -> str:
    return yaml.dump(config, Dumper=DUMPER, allow_unicode=True, sort_keys=False)


def outcome(tmp_path, tool: str, config: dict):
    path = tmp_path / "config.yaml"
    path.write_text(written(config), encoding="utf-8")
    return convert([str(path)], tool, Places(working=tmp_path, recipe=tmp_path)), path


def places_of(config: dict) -> list[dict]:
    """Every block of a config, in which a key may be added."""
    found = [config]
    for value in config.values():
        inner = value if isinstance(value, list) else [value]
        found += [block for item in inner if isinstance(item, dict) for block in places_of(item)]
    return found


@pytest.mark.parametrize("tool", SEEDS)
def test_a_seed_itself_imports(tool, tmp_path):
    done, _ = outcome(tmp_path, tool, SEEDS[tool])
    assert done.text is not None, done.findings


@pytest.mark.parametrize("tool", SEEDS)
def test_extra_keys_anywhere_stand_in_the_recipe_with_their_values(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp(tool)

    @settings(max_examples=60, deadline=None)
    @given(extra=EXTRAS, where=st.integers(0, 9))
    def holds(extra, where):
        config = deepcopy(SEEDS[tool])
        blocks = places_of(config)
        block = blocks[where % len(blocks)]
        block |= {key: value for key, value in extra.items() if key not in block}
        done, path = outcome(folder, tool, config)
        if done.text is None:
            assert all(isinstance(found, Diagnostic) for found in done.findings)
            return
        root, _ = yaml_text.parse(Source.of("config", path.read_text(encoding="utf-8")))
        paths = {spelt(p) for p, _ in leaves(root, ())}
        account = done.origins[0].account
        shown = {left.path for left in account.left} | set(account.empty)
        assert account.carried + len(shown) == len(paths)
        for left in account.left:
            assert f"#   {left.path}: {left.value}\n" in done.text
        for key in extra:
            assert any(key in p.split(".") for p in shown)

    holds()


@pytest.mark.parametrize("tool", SEEDS)
def test_any_value_under_any_known_key_is_carried_told_or_refused(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp(tool)

    @settings(max_examples=150, deadline=None)
    @given(changed=st.dictionaries(st.one_of(KNOWN, st.text(max_size=8)), WILD, max_size=3))
    def holds(changed):
        done, _ = outcome(folder, tool, SEEDS[tool] | changed)
        if done.text is None:
            assert done.findings
            assert all(re.fullmatch(r"MR\d{3}", found.code) for found in done.findings)
        else:
            assert parse(Source.of("recipe", done.text)).diagnostics == ()

    holds()


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    root, found = yaml_text.parse(Source.of("config", text))
    assert root is not None or found


CONFIGS = Path(__file__).parent / "configs"
FILES = [path for tool in SEEDS for path in sorted((CONFIGS / tool).glob("*.yaml"))]
READERS = {"path", "source"}
"""With files named apart these say the format alone, which the files' names say too."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_carried_key_with_another_value_makes_another_recipe(path, tmp_path):
    tool, text = path.parent.name, path.read_text(encoding="utf-8")
    root, _ = yaml_text.parse(Source.of(path.name, text))
    places = Places(working=path.parent, recipe=path.parent)
    account, before = result(tmp_path, plain(root), tool, places)
    unsaid = {left.path for left in account.left} | set(account.empty)
    for keys, node in leaves(root, ()):
        if spelt(keys) in unsaid or keys[-1] in READERS:
            continue
        after = (result(tmp_path, put(plain(root), keys, v), tool, places) for v in others(plain(node)))
        assert any(
            a is None or said != before or spelt(keys) in {x.path for x in a.left} for a, said in after
        ), keys


def result(folder, config: dict, tool: str, places: Places):
    """What became of the keys, and what the recipe says without its comments."""
    (folder / "x.yaml").write_text(written(config), encoding="utf-8")
    done = convert([str(folder / "x.yaml")], tool, places)
    if done.text is None:
        return None, ""
    return done.origins[0].account, re.sub(r"(?m)^#.*\n", "", done.text)


def put(config: dict, keys: tuple, value) -> dict:
    block = config
    for key in keys[:-1]:
        block = block[key]
    block[keys[-1]] = value
    return config


def others(value) -> list:
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value * 0.5]
        case list():
            return [["other"]]
    return [f"other{value}", "other"]
