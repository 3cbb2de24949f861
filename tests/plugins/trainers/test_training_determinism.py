"""The same job gives the same weights, whatever happens in between."""

import json
import random

import pytest

from pipeline_dsl.api import Control, MachineError, ModelError, Sample

STOP_AND_SAVE = Control(stop=True, checkpoint=True)


def test_training_changes_the_trainable_weights_and_no_other(bench, llama, same):
    import torch

    module, before = llama(adapters=("old", "new")), llama(adapters=("old", "new"))
    bench.train(module)
    assert not same(module, before)
    theirs = dict(before.named_parameters())
    assert all(torch.equal(p, theirs[n]) for n, p in module.named_parameters() if not p.requires_grad)


def test_two_trainings_are_equal_bit_for_bit(bench, llama, same):
    one, other = llama(), llama()
    first, _ = bench.train(one, folder="one")
    random.seed(1)
    second, _ = bench.train(other, folder="other")
    assert same(one, other)
    assert first == second


def test_another_seed_gives_another_training(bench, llama, same):
    one, other = llama(), llama()
    bench.train(one, folder="one", seed=1)
    bench.train(other, folder="other", seed=2)
    assert not same(one, other)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_resuming_gives_the_uninterrupted_weights(bench, llama, same, step):
    whole, parts = llama(adapters=("old", "new")), llama(adapters=("old", "new"))
    expected, told = bench.train(whole, folder="whole")
    bench.train(parts, folder="parts", answers={("iteration_completed", step): STOP_AND_SAVE})
    fresh = llama(adapters=("old", "new"))
    outcome, resumed = bench.train(fresh, folder="parts", resume=True)
    assert outcome == expected
    assert same(fresh, whole)
    strip = [(e.step, e.loss, e.learning_rate, e.grad_norm) for e in told.of("iteration_completed")]
    assert [
        (e.step, e.loss, e.learning_rate, e.grad_norm) for e in resumed.of("iteration_completed")
    ] == strip[step:]


def test_no_epoch_event_comes_twice_over_a_resume(bench, llama):
    _, before = bench.train(llama(), answers={("iteration_completed", 3): STOP_AND_SAVE})
    _, after = bench.train(llama(), resume=True)
    epochs = [(e.name, e.epoch) for e in before.fired + after.fired if e.name.startswith("epoch_")]
    assert epochs == [
        ("epoch_started", 1),
        ("epoch_completed", 1),
        ("epoch_started", 2),
        ("epoch_completed", 2),
    ]


def test_the_mean_loss_of_an_epoch_survives_a_resume(bench, llama):
    _, whole = bench.train(llama(), folder="whole")
    bench.train(llama(), answers={("iteration_completed", 2): STOP_AND_SAVE})
    _, after = bench.train(llama(), resume=True)
    assert after.of("epoch_completed") == whole.of("epoch_completed")


def test_a_finished_training_is_loaded_and_not_trained_again(bench, llama, same):
    done, again = llama(), llama()
    expected, _ = bench.train(done, save_steps=3, max_steps=5)
    outcome, told = bench.train(again, save_steps=3, max_steps=5, resume=True)
    assert same(done, again)
    assert outcome == expected
    assert told.names == ["started", "completed"]


def test_a_training_that_was_to_end_at_its_checkpoint_ends_there(bench, llama, same):
    ended, cut = llama(), llama()
    expected, _ = bench.train(
        ended, folder="ended", answers={("iteration_completed", 3): Control(stop=True, reason="enough")}
    )
    bench.train(cut, folder="cut", answers={("iteration_completed", 3): STOP_AND_SAVE})
    resumed = llama()
    outcome, told = bench.train(
        resumed, folder="cut", resume=True, answers={("started", 3): Control(stop=True, reason="enough")}
    )
    assert outcome == expected
    assert told.names == ["started", "terminated"]
    assert same(resumed, ended)


def test_without_resume_earlier_checkpoints_are_gone(bench, llama):
    bench.train(llama(), save_steps=1)
    bench.train(llama())
    assert not list((bench.folder / "train").iterdir())


def test_checkpoints_hold_the_trainable_weights_alone(bench, llama):
    from safetensors.torch import load_file

    module = llama(adapters=("old", "new"))
    bench.train(module, save_steps=6)
    saved = load_file(bench.folder / "train" / "checkpoint-6" / "trainable.safetensors")
    assert set(saved) == {n for n, p in module.named_parameters() if p.requires_grad}
    assert all(".new." in name for name in saved)


def test_only_the_newest_checkpoints_are_kept(bench, llama):
    bench.train(llama(), save_steps=1, save_total_limit=2)
    names = sorted(p.name for p in (bench.folder / "train").iterdir())
    assert names == ["checkpoint-5", "checkpoint-6"]


def test_a_checkpoint_with_a_surplus_file_is_set_aside_and_the_one_before_it_serves(bench, llama, same):
    whole = llama()
    bench.train(whole, folder="whole")
    bench.train(llama(), save_steps=2, answers={("iteration_completed", 4): STOP_AND_SAVE})
    (bench.folder / "train" / "checkpoint-4" / "surplus").write_text("?")
    fresh = llama()
    _, told = bench.train(fresh, resume=True, talks=True)
    assert told.of("iteration_completed")[0].step == 3
    assert (bench.folder / "train" / "damaged-checkpoint-4").is_dir()
    assert bench.said == [
        "first: checkpoint-4 cannot be trusted: surplus does not belong to it; it is set aside as damaged-checkpoint-4",
        "first: training goes on from checkpoint-2 instead",
    ]
    assert same(fresh, whole)


def test_a_checkpoint_of_another_model_is_refused(bench, llama):
    bench.train(llama(adapters=("one",)), answers={("iteration_completed", 2): STOP_AND_SAVE})
    with pytest.raises(ModelError):
        bench.train(llama(adapters=("two",)), resume=True)


def test_a_disk_that_takes_no_checkpoint_is_a_machine_error_and_the_last_one_stays(bench, llama, monkeypatch):
    from medrecipe_plugins.trainers import _seals

    seal, calls = _seals.seal, []

    def failing(folder):
        calls.append(folder)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        seal(folder)

    monkeypatch.setattr(_seals, "seal", failing)
    with pytest.raises(MachineError) as caught:
        bench.train(llama(), save_steps=2)
    assert "step 4" in caught.value.message
    assert sorted(p.name for p in (bench.folder / "train").iterdir()) == ["checkpoint-2"]
    outcome, _ = bench.train(llama(), resume=True)
    assert outcome.steps == 6


def test_a_manifest_names_every_file_with_size_and_hash(bench, llama):
    bench.train(llama(), save_steps=6)
    folder = bench.folder / "train" / "checkpoint-6"
    files = json.loads((folder / "complete.json").read_text(encoding="utf-8"))["files"]
    assert sorted(files) == sorted(p.name for p in folder.iterdir() if p.name != "complete.json")
    assert all(entry["size"] == (folder / name).stat().st_size for name, entry in files.items())


def test_accumulation_does_not_change_the_gradient(bench, llama, weights):
    import torch

    results = []
    for batch_size, grad_accum in ((8, 1), (2, 4), (1, 8)):
        module = llama(dropout=0.0)
        settings = {"batch_size": batch_size, "grad_accum": grad_accum, "epochs": 1.0, "optimizer": "sgd"}
        _, told = bench.train(
            module, samples=_uneven(), folder=f"accum-{grad_accum}", max_grad_norm=0.0, **settings
        )
        (step,) = told.of("iteration_completed")
        results.append((step.loss, step.grad_norm, weights(module)))
    (loss, norm, first), *others = results
    for other_loss, other_norm, other in others:
        assert other_loss == pytest.approx(loss, rel=1e-5)
        assert other_norm == pytest.approx(norm, rel=1e-4)
        assert all(torch.allclose(first[name], other[name], atol=1e-7) for name in first)


def test_gradient_checkpointing_changes_no_weight(bench, llama, weights):
    import torch

    plain, saving = llama(), llama()
    bench.train(plain, folder="plain")
    bench.train(saving, folder="saving", gradient_checkpointing=True)
    ours, theirs = weights(plain), weights(saving)
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in ours)


def _uneven():
    return [Sample(prompt=f"q{n}", completion="x" * (1 + 5 * n), id=f"row:{n}") for n in range(8)]


def test_an_end_in_the_middle_of_a_checkpoint_loses_that_checkpoint_alone(bench, llama, same, monkeypatch):
    from medrecipe_plugins.trainers import _seals

    seal = _seals.seal

    def ended(folder):
        if folder.name == ".checkpoint-4.tmp":
            raise KeyboardInterrupt
        seal(folder)

    whole, fresh = llama(), llama()
    bench.train(whole, folder="whole")
    monkeypatch.setattr(_seals, "seal", ended)
    with pytest.raises(KeyboardInterrupt):
        bench.train(llama(), save_steps=2)
    monkeypatch.setattr(_seals, "seal", seal)
    _, told = bench.train(fresh, resume=True)
    assert told.of("iteration_completed")[0].step == 3
    assert same(fresh, whole)


class Changing:
    """Epochs of three samples, one of which is another in every epoch; in the second it is a long one."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return 3

    def epoch(self, number):
        return [*self.items[:2], self.items[2 + number]]


def test_epochs_may_have_different_samples(bench, llama):
    texts = ("a", "bb", "xxx", "x" * 40, "x" * 5)
    samples = [Sample(prompt="q", completion=text, id=f"row:{text}") for text in texts]
    _, told = bench.train(llama(), samples=samples, reading=Changing, epochs=3.0, batch_size=3, grad_accum=1)
    assert [e.label_tokens for e in told.of("iteration_completed")] == [2 + 3 + 4, 2 + 3 + 41, 2 + 3 + 6]


def test_a_job_can_say_how_many_steps_to_take_and_the_schedule_follows(bench, llama):
    outcome, told = bench.train(llama(), max_steps_instead=4, epochs=9.0, lr_scheduler="linear")
    assert outcome.steps == 4
    rates = [e.learning_rate for e in told.of("iteration_completed")]
    assert rates == pytest.approx([0.01, 0.0075, 0.005, 0.0025])
    assert {e.max_steps for e in told.fired} == {4}
