from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace

import pytest

from medrecipe_plugins import _cache
from medrecipe_plugins.models import _embedded
from medrecipe_plugins.models.embedded import Embedded, Options
from pipeline_dsl.api import LoadRequest, MachineError, ModelError, Need, Sample

SMALL = Options(
    layers=1,
    width=32,
    heads=2,
    kv_heads=1,
    mlp_width=64,
    vocabulary=512,
    max_positions=128,
    pretraining_steps=2,
)


def hashes(folder) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def in_cache(folder, **changes) -> Embedded:
    return Embedded(options=replace(SMALL, cache=str(folder), **changes))


def folder_of(model: Embedded):
    return _embedded.checkpoint(model.options).folder


def test_two_builds_with_one_seed_are_the_same_bytes(tmp_path) -> None:
    models = [in_cache(tmp_path / name) for name in ("one", "two")]
    for model in models:
        model.prepare(lambda _: None)
    first, second = (hashes(folder_of(model)) for model in models)
    assert first == second
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= set(first)
    assert models[0].identity("cpu") == models[1].identity("cpu")


def test_another_seed_is_another_model(tmp_path) -> None:
    models = [in_cache(tmp_path, seed=seed) for seed in (0, 1)]
    for model in models:
        model.prepare(lambda _: None)
    one, other = (model.identity("cpu") for model in models)
    assert one.weights_sha256 != other.weights_sha256
    assert one.tokenizer_sha256 == other.tokenizer_sha256
    assert one.name != other.name


def test_it_is_built_once_and_then_kept(tmp_path) -> None:
    said: list[str] = []
    in_cache(tmp_path).prepare(said.append)
    assert said[0].startswith("building a small gemma3 model")
    assert said[-1].startswith("pretraining step 2 of 2")
    before = hashes(folder_of(in_cache(tmp_path)))
    said.clear()
    in_cache(tmp_path).prepare(said.append)
    assert said == []
    assert hashes(folder_of(in_cache(tmp_path))) == before


def test_its_shape_is_known_before_it_is_built_and_is_the_same_after(tmp_path) -> None:
    model = in_cache(tmp_path)
    before = model.shape()
    assert list(tmp_path.iterdir()) == []
    model.prepare(lambda _: None)
    assert model.shape() == before


def test_two_builders_at_once_leave_one_whole_model(tmp_path) -> None:
    failures: list[BaseException] = []

    def publish(name: str) -> None:
        work = tmp_path / name
        work.mkdir()
        (work / "config.json").write_text(name)
        try:
            _embedded._publish(work, tmp_path / "model")
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=publish, args=(f"builder{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (tmp_path / "model" / "config.json").read_text().startswith("builder")


def test_a_failed_build_leaves_nothing_behind(tmp_path) -> None:
    def fail(text: str) -> None:
        raise KeyboardInterrupt(text)

    with pytest.raises(KeyboardInterrupt):
        in_cache(tmp_path).prepare(fail)
    assert list((tmp_path / "embedded").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_the_machines_fault(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MachineError, match="cannot be kept"):
        in_cache(tmp_path / "file").prepare(lambda _: None)


def test_the_cache_follows_the_xdg_rule(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _cache.user_cache() == tmp_path / "medrecipe"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert _cache.user_cache() == tmp_path / "home" / ".cache" / "medrecipe"


@pytest.mark.parametrize("changes", [{"width": 30}, {"heads": 2, "kv_heads": 4}], ids=["width", "kv_heads"])
def test_sizes_that_make_no_model_are_refused(tmp_path, changes) -> None:
    with pytest.raises(ModelError) as caught:
        in_cache(tmp_path, **changes).prepare(lambda _: None)
    assert caught.value.code == "MR470"


def test_pretraining_teaches_it_something(tiny_model, tiny_folder_of, load_tiny) -> None:
    with _embedded._TEXT.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines][:40]
    samples = [Sample(prompt="", completion=text) for text in texts]

    def loss(model) -> float:
        seen = model.observe(samples, Need.TOKEN_LOSSES)
        return sum(o.nll for o in seen) / sum(o.tokens for o in seen)

    assert loss(tiny_model) < loss(load_tiny(tiny_folder_of("gemma3", 0))) - 0.5


def test_the_bundled_text_has_both_languages_and_no_special_tokens() -> None:
    with _embedded._TEXT.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    assert all(set(row) == {"text"} and row["text"].strip() for row in rows)
    assert not any(token in row["text"] for row in rows for token in ("<bos>", "<eos>", "<end_of_turn>"))
    assert sum(any("가" <= c <= "힣" for c in row["text"]) for row in rows) > len(rows) / 4


def test_it_loads_in_the_format_that_is_asked(tmp_path) -> None:
    model = in_cache(tmp_path, dtype="bfloat16")
    model.prepare(lambda _: None)
    assert model.load(LoadRequest(device="cpu", seed=0)).dtype == "bfloat16"
    assert folder_of(model) == folder_of(in_cache(tmp_path))
