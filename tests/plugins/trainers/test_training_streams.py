"""Training on a stream: one epoch of a given number of steps, exact over interruptions."""

import json
from itertools import islice
from types import SimpleNamespace

import pytest

from pipeline_dsl.api import Control, DataError
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.plan.hashing import hash_files
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.run.training import read_data

STOP_AND_SAVE = Control(stop=True, checkpoint=True)
SETTINGS = {"batch_size": 2, "grad_accum": 3, "max_steps": 14}
"""42 micro-batches: more than one window of 32."""


def test_a_stream_is_one_epoch_of_all_steps(bench, llama, circle):
    outcome, told = bench.train(llama(), reading=circle, **{**SETTINGS, "max_steps": 3})
    assert (outcome.steps, outcome.epochs) == (3, 1.0)
    step = ["iteration_started", "iteration_completed"] * 3
    assert told.names == ["started", "epoch_started", *step, "epoch_completed", "completed"]
    assert {e.epoch for e in told.fired} == {1}


@pytest.mark.parametrize(("step", "group"), [(1, True), (10, True), (11, False), (13, True)])
def test_resuming_within_a_stream_gives_the_uninterrupted_weights(bench, llama, same, circle, step, group):
    settings = {**SETTINGS, "reading": circle, "group_by_length": group}
    whole, fresh = llama(), llama()
    expected, told = bench.train(whole, folder="whole", **settings)
    bench.train(llama(), answers={("iteration_completed", step): STOP_AND_SAVE}, **settings)
    outcome, resumed = bench.train(fresh, resume=True, **settings)
    assert outcome == expected
    assert same(fresh, whole)
    figures = [(e.step, e.loss, e.grad_norm) for e in told.of("iteration_completed")]
    assert [(e.step, e.loss, e.grad_norm) for e in resumed.of("iteration_completed")] == figures[step:]


def test_a_resumed_training_reads_nothing_of_the_windows_that_are_done(bench, llama, circle):
    begun = []

    class Noting(circle):
        def since(self, position):
            begun.append(position)
            return super().since(position)

    bench.train(llama(), reading=Noting, answers={("iteration_completed", 12): STOP_AND_SAVE}, **SETTINGS)
    bench.train(llama(), reading=Noting, resume=True, **SETTINGS)
    first_window = 32 * SETTINGS["batch_size"]
    left_out = first_window // 6
    assert begun[0] == 0
    assert begun[1] == pytest.approx(first_window + left_out, abs=1)


def test_a_finished_training_on_a_stream_is_loaded_and_not_trained_again(bench, llama, same, circle):
    settings = {**SETTINGS, "max_steps": 4, "save_steps": 4, "reading": circle}
    done, again = llama(), llama()
    expected, _ = bench.train(done, **settings)
    outcome, told = bench.train(again, resume=True, **settings)
    assert (outcome, told.names) == (expected, ["started", "completed"])
    assert same(done, again)


def test_a_stream_needs_a_number_of_steps(bench, llama, circle):
    with pytest.raises(DataError) as caught:
        bench.train(llama(), reading=circle)
    assert caught.value.code == "MR500"
    assert "max_steps" in caught.value.help


def test_steps_can_be_the_jobs_own_on_a_stream(bench, llama, circle):
    outcome, _ = bench.train(llama(), reading=circle, max_steps_instead=2)
    assert outcome.steps == 2


RECIPE = """\
recipe: streams
seed: 11
model: {use: embedded}
adapters:
    a: {use: lora}
data:
    many: {use: jsonl, path: many.jsonl, streaming: true, shuffle_buffer: 20, split: 0.8/0.2}
    few: {use: jsonl, path: few.jsonl}
tasks |task, data, template, metric|
    fluency, few, plain_text, perplexity
phases:
    one:
        stack |adapter, role|
            a, train
        mix |data, template, weight|
            many.train, plain_text, 0.7
            few, plain_text, 0.3
        train: {max_steps: 14, max_length: 30, overflow: drop}
"""


@pytest.fixture
def read(tmp_path, handle):
    """Reads the data of a recipe's phase anew each time, as a run does."""

    def rows(name, count):
        texts = [f"{name} {n}{'!' * (n * 5 % 31)}" for n in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))

    def make():
        plan, findings = check_recipe(load_recipe(str(tmp_path / "streams.sdn")).recipe, catalog)
        assert not findings
        context = SimpleNamespace(plan=hash_files(plan), catalog=catalog, say=print)
        return read_data(context, plan.phases[0], handle(None))

    catalog = build_catalog()
    rows("many", 70)
    rows("few", 5)
    (tmp_path / "streams.sdn").write_text(RECIPE)
    return make


@pytest.mark.parametrize("step", [4, 12])
def test_a_recipes_stream_is_gone_on_with_exactly_over_passes_windows_and_sources(
    bench, llama, same, read, step
):
    settings = {"batch_size": 2, "grad_accum": 3, "max_steps": 14}
    whole, fresh = llama(), llama()
    stop = {("iteration_completed", step): STOP_AND_SAVE}
    expected, _ = bench.train(whole, folder="whole", reading=lambda _: read().samples, **settings)
    bench.train(llama(), answers=stop, reading=lambda _: read().samples, **settings)
    outcome, _ = bench.train(fresh, resume=True, reading=lambda _: read().samples, **settings)
    assert outcome == expected
    assert same(fresh, whole)


def test_what_a_stream_drops_is_counted(read):
    data = read()
    names = [sample.id for _, sample in islice(data.samples.since(0), 60)]
    seen = data.seen.amounts
    assert data.amounts is None
    assert seen.dropped > 0
    assert seen.longest > 30
    assert {name.rpartition("/")[2].partition(":")[0].partition("#")[0] for name in names} == {
        "many.jsonl",
        "few",
    }
