from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from pipeline_dsl.api import ModelError
from pipeline_dsl.plan.plan_json import from_json
from pipeline_dsl.run import manifest
from pipeline_dsl.run.folder import RunFolder


@pytest.fixture
def finished(workshop):
    """A finished run: its plan and its folder."""
    folder = workshop.run().folder
    return from_json(json.loads((folder / "plan.json").read_text("utf-8"))), RunFolder(folder)


def adapter(run: RunFolder, phase: str) -> Path:
    return run.adapter(phase, "x")


def code_of(act) -> str:
    with pytest.raises(ModelError) as caught:
        act()
    assert caught.value.exit_code == 4
    assert caught.value.help
    return caught.value.code


def verify(finished, phase: str, name: str):
    plan, run = finished
    return manifest.verify(plan, plan.phase(phase), name, run)


def test_it_tells_what_an_adapter_is_and_stands_on(finished):
    plan, run = finished
    found = verify(finished, "third", "c")
    assert found["base"]["name"] == "toy"
    assert found["fingerprint"] == plan.phase("third").fingerprint
    assert [(p["adapter"], p["role"], p["phase"], p["folder"]) for p in found["parents"]] == [
        ("a", "merge", "first", "../../first/adapter"),
        ("b", "merge", "second", "../../second/adapter"),
    ]
    for parent in found["parents"]:
        beside = json.loads((adapter(run, "third") / parent["folder"] / "stack.json").read_text("utf-8"))
        assert beside["sha256"] == parent["sha256"]
    assert found["merge"]["adapters"] == ["a", "b"]
    assert verify(finished, "first", "a")["parents"] == []


@pytest.mark.parametrize(
    ("name", "value"), [("quantisation", "nf4"), ("dtype", "bfloat16"), ("double_quant", True)]
)
def test_case_41_an_adapter_is_not_put_on_its_base_in_other_bits(finished, name, value):
    file = adapter(finished[1], "first") / "stack.json"
    content = json.loads(file.read_text("utf-8"))
    content["base"][name] = value
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelError, match=f"another base than the one that is here: {name} ") as caught:
        verify(finished, "first", "a")
    assert (caught.value.code, caught.value.exit_code) == ("MR467", 4)


@pytest.mark.parametrize("place", [0, 5, 40])
def test_case_44_a_flipped_bit_is_found(finished, place):
    file = adapter(finished[1], "first") / "adapter.json"
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    assert code_of(lambda: manifest.read(file.parent)) == "MR466"


def test_case_43_a_truncated_file_is_found(finished):
    file = adapter(finished[1], "first") / "adapter.json"
    file.write_bytes(file.read_bytes()[:-1])
    assert code_of(lambda: manifest.read(file.parent)) == "MR466"


def test_case_46_a_missing_file_is_found(finished):
    (adapter(finished[1], "first") / "adapter_config.json").unlink()
    assert code_of(lambda: manifest.read(adapter(finished[1], "first"))) == "MR466"


@pytest.mark.parametrize("text", [None, "", "{", "\udcff".encode("utf-8", "surrogateescape")])
def test_a_missing_or_unreadable_manifest_is_told(finished, text):
    path = adapter(finished[1], "first") / "stack.json"
    path.unlink()
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert code_of(lambda: manifest.read(path.parent)) == "MR466"


@pytest.mark.parametrize("text", ["[]", "5", "{}", '{"schema_version": 2}'])
def test_case_68_a_manifest_of_another_version_is_told(finished, text):
    path = adapter(finished[1], "first") / "stack.json"
    path.write_text(text)
    assert code_of(lambda: manifest.read(path.parent)) == "MR468"


@pytest.mark.parametrize(
    "change",
    [{"files": None}, {"files": {}}, {"files": {"../../plan.json": {}}}, {"sha256": "0" * 64}, {"parents": None},
     {"parents": [{}]}, {"fingerprint": None}, {"adapter": 5}],
)  # fmt: skip
def test_a_manifest_in_which_something_is_wrong_is_damaged(finished, change):
    path = adapter(finished[1], "second") / "stack.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change))
    assert code_of(lambda: manifest.read(path.parent)) == "MR466"


def test_further_files_beside_an_adapter_do_no_harm(finished):
    (adapter(finished[1], "first") / "README.md").write_text("hello")
    assert verify(finished, "first", "a")


def test_case_51_an_adapter_of_another_phase_is_found(finished):
    run = finished[1]
    shutil.rmtree(adapter(run, "second"))
    shutil.copytree(adapter(run, "first"), adapter(run, "second"))
    assert code_of(lambda: verify(finished, "second", "b")) == "MR467"


def test_case_51_swapped_adapters_are_found(finished):
    run = finished[1]
    adapter(run, "first").rename(run.path / "x")
    adapter(run, "second").rename(adapter(run, "first"))
    (run.path / "x").rename(adapter(run, "second"))
    for phase, name in (("first", "a"), ("second", "b"), ("third", "c")):
        assert code_of(lambda phase=phase, name=name: verify(finished, phase, name)) == "MR467"


def test_case_51_a_missing_adapter_below_is_found(finished):
    shutil.rmtree(adapter(finished[1], "second"))
    assert code_of(lambda: verify(finished, "third", "c")) == "MR466"


def test_an_adapter_that_was_trained_on_another_one_is_found(finished, workshop, with_train):
    """The same fingerprint is no proof: another machine may have trained other weights under it."""
    folder = adapter(finished[1], "first")
    (folder / "adapter.json").write_text('{"table": {}, "trace": "other"}', encoding="utf-8")
    described = json.loads((folder / "stack.json").read_text("utf-8"))
    files = manifest._files(folder, described["files"])
    described |= {"files": files, "sha256": manifest.digest(files)}
    (folder / "stack.json").write_text(json.dumps(described), encoding="utf-8")
    assert verify(finished, "first", "a")
    assert code_of(lambda: verify(finished, "second", "b")) == "MR467"


@pytest.mark.parametrize(
    ("config", "scale", "rs"),
    [
        ({"r": 4, "lora_alpha": 8}, 2.0, False),
        ({"r": 4, "lora_alpha": 8, "use_rslora": True}, 4.0, True),
        ({"r": 2, "lora_alpha": 3, "use_rslora": True}, 3 / math.sqrt(2), True),
        ({"r": 4}, None, None),
        ({"r": None, "lora_alpha": 8}, None, None),
        (None, None, None),
    ],
)
def test_the_scale_of_a_lora_is_alpha_over_r_or_its_root(tmp_path, config, scale, rs):
    if config is not None:
        (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert manifest._scale(tmp_path) == {"scale": scale, "use_rslora": rs}
