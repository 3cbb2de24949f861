"""What a checkpoint holds: numbers and names, sealed; never a pickle."""

import json
import pickle
import shutil
from pathlib import Path

import pytest

from medrecipe_plugins.trainers import _checkpoints, _seals
from pipeline_dsl.api import Control, ModelError

FILES = (
    "complete.json", "micro_batches.json", "optimizer.json", "optimizer.safetensors", "random.json",
    "random.safetensors", "scheduler.json", "totals.json", "trainable.safetensors", "trainer_state.json",
)  # fmt: skip
DAMAGES = ("missing", "truncated", "empty", "flipped")
TRAINERS_OWN = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin", "scaler.pt")
CUT = Control(stop=True, checkpoint=True)


@pytest.fixture(scope="module")
def made(bench_in, llama, tmp_path_factory):
    """A training that was cut off at step 4, with checkpoints of the steps 2 and 4, and a whole one."""
    bench, module = bench_in(tmp_path_factory.mktemp("made")), llama()
    bench.train(llama(), save_steps=2, answers={("iteration_completed", 4): CUT})
    outcome, _ = bench.train(module, folder="whole")
    return bench.folder / "train", module, outcome


@pytest.fixture
def cut(made, bench):
    """A copy of the one that was cut off."""
    shutil.copytree(made[0], bench.folder / "train")
    return bench.folder / "train"


def spoil(file: Path, damage: str) -> None:
    content = bytearray(file.read_bytes())
    match damage:
        case "missing":
            file.unlink()
        case "truncated":
            file.write_bytes(content[: len(content) // 2])
        case "empty":
            file.write_bytes(b"")
        case _:
            content[len(content) // 2] ^= 1
            file.write_bytes(content)


def test_a_checkpoint_has_these_files_and_no_other(cut):
    assert tuple(sorted(p.name for p in (cut / "checkpoint-4").iterdir())) == FILES


def test_a_stream_adds_its_position(bench, llama, circle):
    bench.train(llama(), reading=circle, max_steps=2, save_steps=2)
    files = {p.name for p in (bench.folder / "train" / "checkpoint-2").iterdir()}
    assert files == {*FILES, "stream.json"}


def test_no_pickle_is_written_or_read(bench, llama, monkeypatch):
    import torch

    def refused(*args, **named):
        raise AssertionError("a pickle")

    for owner, name in ((torch, "save"), (torch, "load"), (pickle, "load"), (pickle, "Unpickler")):
        monkeypatch.setattr(owner, name, refused)
    bench.train(llama(), save_steps=2, answers={("iteration_completed", 4): CUT})
    bench.train(llama(), resume=True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_of_every_file_is_named_and_the_checkpoint_before_serves(cut, tmp_path, damage):
    for name in FILES:
        folder = tmp_path / name
        shutil.copytree(cut, folder)
        spoil(folder / "checkpoint-4" / name, damage)
        found = _checkpoints.begin(folder, resume=True)
        (aside,) = found.aside
        assert found.checkpoint == folder / "checkpoint-2"
        assert (aside.name, aside.now) == ("checkpoint-4", "damaged-checkpoint-4")
        assert aside.why.startswith(name)
        word = {"missing": "is missing", "truncated": " instead of ", "empty": "is empty"}.get(
            damage, "is not what"
        )
        assert name == "complete.json" or word in aside.why
        assert (folder / aside.now).is_dir()


@pytest.mark.parametrize(("place", "name"), list(enumerate(FILES)))
def test_after_any_damage_training_comes_to_the_same_result(bench, llama, same, made, cut, place, name):
    spoil(cut / "checkpoint-4" / name, DAMAGES[place % len(DAMAGES)])
    fresh = llama()
    outcome, told = bench.train(fresh, resume=True, talks=True)
    assert outcome == made[2]
    assert same(fresh, made[1])
    assert told.of("iteration_completed")[0].step == 3
    named, instead = bench.said
    assert named.startswith(f"first: checkpoint-4 cannot be trusted: {name} ")
    assert instead == "first: training goes on from checkpoint-2 instead"


def test_where_every_checkpoint_is_damaged_training_begins_anew_and_says_so(bench, llama, same, made, cut):
    for step, damage in ((2, "flipped"), (4, "truncated")):
        spoil(cut / f"checkpoint-{step}" / "optimizer.safetensors", damage)
    fresh = llama()
    _, told = bench.train(fresh, resume=True, talks=True)
    assert told.of("iteration_completed")[0].step == 1
    assert same(fresh, made[1])
    newest, older, anew = bench.said
    assert "checkpoint-4" in newest
    assert "checkpoint-2" in older
    assert anew == "first: no checkpoint is left that can be trusted: training begins anew"


class Canary:
    """A pickle that leaves a mark where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("sealed", [False, True])
def test_pickles_in_a_checkpoint_are_named_and_never_loaded(bench, llama, cut, sealed):
    mark = bench.folder / "loaded"
    for name in TRAINERS_OWN:
        (cut / "checkpoint-4" / name).write_bytes(pickle.dumps(Canary(mark)))
    if sealed:
        _seals.seal(cut / "checkpoint-4")
    _, told = bench.train(llama(), resume=True, talks=True)
    assert not mark.exists()
    assert told.of("iteration_completed")[0].step == 3
    assert "it has a pickle, optimizer.pt, and pickles are never read" in bench.said[0]


@pytest.mark.parametrize("name", TRAINERS_OWN)
def test_any_pickle_makes_a_checkpoint_one_that_cannot_be_trusted(cut, name):
    (cut / "checkpoint-4" / name).write_bytes(b"")
    _seals.seal(cut / "checkpoint-4")
    (aside,) = _checkpoints.begin(cut, resume=True).aside
    assert aside.why == f"it has a pickle, {name}, and pickles are never read"


def test_a_pickle_under_the_name_of_tensors_is_not_loaded(bench, llama, cut):
    from safetensors import SafetensorError

    mark = bench.folder / "loaded"
    (cut / "checkpoint-4" / "optimizer.safetensors").write_bytes(pickle.dumps(Canary(mark)))
    _seals.seal(cut / "checkpoint-4")
    with pytest.raises(SafetensorError):
        bench.train(llama(), resume=True)
    assert not mark.exists()


def manifest(folder: Path, **changes) -> None:
    file = folder / "complete.json"
    content = json.loads(file.read_text("utf-8")) | changes
    content = {k: v for k, v in content.items() if v is not None and k != "sha256"}
    file.write_text(json.dumps({**content, "sha256": _seals._digest(content)}), encoding="utf-8")


def test_an_older_format_is_set_aside_and_said(bench, llama, cut):
    manifest(cut / "checkpoint-4", format=None)
    bench.train(llama(), resume=True, talks=True)
    assert bench.said[0].startswith("first: checkpoint-4 cannot be trusted: it is of an older format;")


def test_case_68_a_newer_format_is_refused_and_nothing_is_lost(bench, llama, cut):
    manifest(cut / "checkpoint-4", format=_seals.FORMAT + 1)
    before = sorted(p.relative_to(cut) for p in cut.rglob("*"))
    with pytest.raises(ModelError) as caught:
        bench.train(llama(), resume=True)
    assert (caught.value.code, caught.value.exit_code) == ("MR468", 4)
    assert "checkpoint-4 is of format 2; this version reads up to 1" in caught.value.message
    assert sorted(p.relative_to(cut) for p in cut.rglob("*")) == before


def test_no_flipped_bit_of_a_manifest_is_taken_for_anything_else(tmp_path):
    _checkpoints.save(tmp_path, 1, lambda folder: (folder / "weights").write_text("12"))
    file = tmp_path / "checkpoint-1" / "complete.json"
    whole = file.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        file.write_bytes(content)
        if _seals.fault(file.parent) is None:
            assert json.loads(content) == json.loads(whole)


def test_what_a_killed_process_left_half_written_goes_away(bench, llama, cut):
    (cut / ".checkpoint-6.tmp").mkdir()
    (cut / ".checkpoint-6.tmp" / "optimizer.safetensors").write_bytes(b"half")
    bench.train(llama(), resume=True)
    assert not list(cut.glob(".*"))


def test_rotation_deletes_nothing_where_the_newest_cannot_be_trusted(tmp_path):
    def fill(folder: Path) -> None:
        (folder / "weights").write_text(folder.name)

    for step in (1, 2, 3):
        _checkpoints.save(tmp_path, step, fill)
    (tmp_path / "checkpoint-3" / "weights").write_text("changed")
    _checkpoints.rotate(tmp_path, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-1", "checkpoint-2", "checkpoint-3"]
    _checkpoints.save(tmp_path, 4, fill)
    _checkpoints.rotate(tmp_path, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-4"]


def test_rotation_touches_nothing_but_checkpoints(tmp_path):
    others = ("adapter", "kept-1", "damaged-checkpoint-9", "checkpoint-x", "few")
    for name in others:
        _checkpoints._make(tmp_path / name, lambda folder: None)
    for step in (2, 3):
        _checkpoints.save(tmp_path, step, lambda folder: None)
        _checkpoints.rotate(tmp_path, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*others, "checkpoint-3"])
