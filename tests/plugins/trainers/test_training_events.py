"""What the trainer tells, in which order, and how it obeys."""

import pytest

from pipeline_dsl.api import Control, Sample

STOP = Control(stop=True)
SAVE = Control(checkpoint=True)


def test_events_come_in_the_order_of_the_pseudocode(bench, llama):
    _, told = bench.train(llama(), samples=None, epochs=2.0, batch_size=5, grad_accum=1)
    step = ["iteration_started", "iteration_completed"]
    epoch = ["epoch_started", *step, *step, "epoch_completed"]
    assert told.names == ["started", *epoch, *epoch, "completed"]


def test_steps_count_from_one_and_epochs_change_where_they_begin(bench, llama):
    _, told = bench.train(llama())
    assert [(e.step, e.epoch) for e in told.of("iteration_started")] == [
        (0, 1),
        (1, 1),
        (2, 1),
        (3, 2),
        (4, 2),
        (5, 2),
    ]
    assert [(e.step, e.epoch) for e in told.of("iteration_completed")] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 2),
        (5, 2),
        (6, 2),
    ]
    assert [(e.step, e.epoch) for e in told.of("epoch_completed")] == [(3, 1), (6, 2)]
    assert {(e.phase, e.max_steps) for e in told.fired} == {("first", 6)}


@pytest.mark.parametrize(
    ("options", "samples", "steps"),
    [
        ({"epochs": 3.0, "batch_size": 4, "grad_accum": 2}, 10, 6),
        ({"epochs": 0.5, "batch_size": 1, "grad_accum": 1}, 10, 5),
        ({"epochs": 1.0, "batch_size": 16, "grad_accum": 8}, 10, 1),
        ({"epochs": 9.0, "max_steps": 7}, 10, 7),
        ({"epochs": 0.0}, 10, 0),
    ],
)
def test_steps_are_counted_as_they_are_done(bench, llama, options, samples, steps):
    from medrecipe_plugins.trainers.trainer import HuggingFaceTrainer, Options

    assert (
        HuggingFaceTrainer(Options(**({"batch_size": 2, "grad_accum": 2} | options))).steps(samples) == steps
    )
    outcome, told = bench.train(llama(), **options)
    assert outcome.steps == len(told.of("iteration_completed")) == steps


def test_the_loss_of_a_step_is_the_mean_over_its_label_tokens(bench, llama, handle):
    import torch

    module = llama(dropout=0.0)
    sample = Sample(prompt="which", completion="that", id="row:1")
    ids, prompt = handle(module).encode(sample)
    with torch.no_grad():
        logits = module(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = -sum(logits[at - 1, ids[at]].item() for at in range(prompt, len(ids))) / (len(ids) - prompt)
    outcome, told = bench.train(module, samples=[sample], epochs=1.0)
    (step,) = told.of("iteration_completed")
    assert step.loss == pytest.approx(expected, abs=1e-6)
    assert step.label_tokens == outcome.label_tokens == len("that") + 1


def test_sums_over_epochs_and_the_whole_are_weighted_by_tokens(bench, llama):
    outcome, told = bench.train(llama())
    steps = told.of("iteration_completed")
    tokens = sum(s.label_tokens for s in steps)
    assert outcome.label_tokens == tokens
    assert outcome.loss == pytest.approx(sum(s.loss * s.label_tokens for s in steps) / tokens)
    first = [s for s in steps if s.epoch == 1]
    mean = sum(s.loss * s.label_tokens for s in first) / sum(s.label_tokens for s in first)
    assert told.of("epoch_completed")[0].loss == pytest.approx(mean)


def test_the_learning_rate_told_is_the_one_used(bench, llama):
    _, told = bench.train(llama(), lr_scheduler="linear", warmup_steps=2, learning_rate=0.6, epochs=2.0)
    rates = [e.learning_rate for e in told.of("iteration_completed")]
    assert rates == pytest.approx([0.0, 0.3, 0.6, 0.45, 0.3, 0.15])


def test_stop_ends_training_after_the_step(bench, llama):
    outcome, told = bench.train(llama(), answers={("iteration_completed", 2): STOP})
    assert (outcome.steps, outcome.stopped) == (2, "told to stop at iteration_completed")
    assert outcome.epochs == pytest.approx(2 / 3)
    assert told.names[-2:] == ["iteration_completed", "terminated"]


@pytest.mark.parametrize("event", ["started", "epoch_started", "iteration_started"])
def test_a_wish_to_stop_before_a_step_is_obeyed_after_it(bench, llama, event):
    outcome, _ = bench.train(llama(), answers={(event, 0): STOP})
    assert outcome.steps == 1


def test_stop_at_an_epochs_end_ends_training_there(bench, llama):
    outcome, told = bench.train(llama(), answers={("epoch_completed", 3): STOP})
    assert (outcome.steps, told.names[-2:]) == (3, ["epoch_completed", "terminated"])


def test_stop_at_the_last_step_is_no_early_end(bench, llama):
    outcome, told = bench.train(llama(), answers={("iteration_completed", 6): STOP})
    assert outcome.stopped is None
    assert told.names[-1] == "completed"


def test_a_checkpoint_is_written_after_the_step_that_wanted_it(bench, llama):
    _, told = bench.train(llama(), answers={("iteration_completed", 2): SAVE})
    at = told.names.index("checkpoint_saved")
    assert told.names[at - 1] == "iteration_completed"
    (saved,) = told.of("checkpoint_saved")
    assert (saved.step, saved.epoch) == (2, 1)
    assert saved.folder == str(bench.folder / "train" / "checkpoint-2")


def test_a_checkpoint_at_the_last_step_of_an_epoch_comes_after_the_epochs_end(bench, llama):
    _, told = bench.train(llama(), save_steps=3)
    at = told.names.index("checkpoint_saved")
    assert told.names[at - 1 : at + 2] == ["epoch_completed", "checkpoint_saved", "epoch_started"]


def test_training_says_nothing(bench, llama, capfd):
    bench.train(llama(), save_steps=2)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_the_model_comes_back_as_it_went(bench, llama):
    module = llama().eval()
    module.config.use_cache = True
    bench.train(module)
    assert not module.training
    assert module.config.use_cache is True
    assert all(p.grad is None for p in module.parameters())


def test_what_a_listener_raises_passes_through(bench, llama):
    def fire(event):
        if event.name == "iteration_completed" and event.step == 2:
            raise KeyboardInterrupt
        return Control()

    with pytest.raises(KeyboardInterrupt):
        bench.train(llama(), fire=fire)
