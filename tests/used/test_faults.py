"""Faults 41 to 48 on the commands that use a trained run: exit code 4, one cause, nothing written or served."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from pipeline_dsl.plan.hashing import digest, file_digest

COMMANDS = {
    "generate": ("--prompt", "heart"),
    "export": ("--to", "merged", "--out", "OUT"),
    "serve": ("--port", "0"),
}


@pytest.fixture(params=COMMANDS)
def refused(request, copy_of, tmp_path):
    """Return the copy of a run and a function that says what a command's refusal of it says."""
    used = copy_of()

    def say() -> str:
        options = [o.replace("OUT", str(tmp_path / "out")) for o in COMMANDS[request.param]]
        result = used(request.param, *options)
        assert result.code == 4, result
        assert result.out == ""
        assert "Traceback" not in result.err
        assert result.err.count("error[") == 1, result.err
        assert not (tmp_path / "out").exists()
        return result.err

    return used, say


def rewritten(adapter: Path, change) -> None:
    """Change an adapter's tensors and make its manifest agree, as somebody may who means well."""
    weights = adapter / "adapter_model.safetensors"
    tensors = load_file(weights)
    change(tensors)
    save_file(tensors, weights, metadata={"format": "pt"})
    path = adapter / "stack.json"
    manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    manifest["files"][weights.name] = {"bytes": weights.stat().st_size, "sha256": file_digest(weights)}
    manifest["sha256"] = digest(manifest["files"])
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_41_a_base_of_the_same_shape_that_is_another_one(refused):
    used, say = refused
    weights = used.folder / "base" / "model.safetensors"
    tensors = load_file(weights)
    save_file({name: tensor.flip(0) for name, tensor in tensors.items()}, weights, metadata={"format": "pt"})
    assert "MR467" in say()


def test_42_a_base_with_another_number_of_layers(refused):
    used, say = refused
    config = used.folder / "base" / "config.json"
    content = json.loads(config.read_text("utf-8"))
    content["num_hidden_layers"] += 1
    content["layer_types"] = [*content["layer_types"], "full_attention"]
    config.write_text(json.dumps(content), encoding="utf-8")
    assert "MR457" in say()


def test_43_weights_of_the_base_that_are_cut_off(refused):
    used, say = refused
    weights = used.folder / "base" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "MR456" in say()


def test_43_weights_of_an_adapter_that_are_cut_off(refused):
    used, say = refused
    weights = used.adapter("english") / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "MR466" in say()


@pytest.mark.parametrize("phase", ["replies", "exam"])
def test_44_one_flipped_bit_in_an_adapter_of_the_stack(refused, phase):
    used, say = refused
    weights = used.adapter(phase) / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-10] ^= 4
    weights.write_bytes(bytes(content))
    assert "MR466" in say()


def test_44_one_flipped_bit_in_the_base(refused):
    used, say = refused
    weights = used.folder / "base" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-10] ^= 4
    weights.write_bytes(bytes(content))
    assert "MR467" in say()


def test_45_a_tensor_that_is_not_a_number(refused):
    used, say = refused
    rewritten(used.adapter("replies"), lambda tensors: next(iter(tensors.values())).fill_(float("nan")))
    assert "MR458" in say()


def test_46_a_missing_adapter_is_not_looked_for_elsewhere(refused, monkeypatch):
    used, say = refused
    (used.adapter("exam") / "adapter_model.safetensors").unlink()

    def connect(*_: object) -> None:
        pytest.fail("it reached for the network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert "MR466" in say()


def test_47_a_pickle_instead_of_weights(refused):
    used, say = refused
    canary = used.folder / "canary"
    pickle = f"cposix\nsystem\n(S'touch {canary}'\ntR.".encode()
    for folder in (used.folder / "base", used.adapter("replies")):
        for weights in list(folder.glob("*.safetensors*")):
            weights.unlink()
    (used.folder / "base" / "pytorch_model.bin").write_bytes(pickle)
    (used.adapter("replies") / "adapter_model.bin").write_bytes(pickle)
    assert "MR453" in say()
    assert not canary.exists()


def test_48_a_base_that_wants_to_run_code(refused):
    used, say = refused
    config = used.folder / "base" / "config.json"
    content = json.loads(config.read_text("utf-8"))
    content["auto_map"] = {"AutoModelForCausalLM": "evil.Model"}
    config.write_text(json.dumps(content), encoding="utf-8")
    (used.folder / "base" / "evil.py").write_text("raise SystemExit(99)", encoding="utf-8")
    assert "MR454" in say()


def test_an_adapter_of_another_run_of_the_same_name_is_refused(refused):
    used, say = refused
    shutil.copytree(used.adapter("opposite"), used.adapter("english"), dirs_exist_ok=True)
    assert "MR467" in say()


def test_51_a_missing_layer_in_the_middle_of_a_stack(refused):
    used, say = refused
    shutil.rmtree(used.adapter("exam"))
    assert "MR466" in say()
