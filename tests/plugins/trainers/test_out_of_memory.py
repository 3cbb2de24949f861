"""Where memory does not suffice: fewer samples at once, the same samples in an optimizer step, nothing lost."""

import json

import pytest

from pipeline_dsl.api import Control, MachineError

CUT = Control(stop=True, checkpoint=True)
SETTINGS = {"batch_size": 4, "grad_accum": 2, "epochs": 2.0}
"""Of ten samples: two steps an epoch, of 8 and of 2."""


class Memory:
    """Lets a model's forward fail at its end as torch does where more tokens come at once than fit.

    Args:
        tokens: that fit.
        calls: how many forwards there are before memory gets scarce.
        bare: whether the error is that of the CPU's allocator.
    """

    def __init__(self, tokens: int, *, calls: int = 0, bare: bool = False) -> None:
        self.tokens = tokens
        self.calls = calls
        self.bare = bare
        self.seen: list[int] = []

    def __call__(self, module, args, named, output):
        import torch

        size = named["input_ids"].numel()
        self.seen.append(size)
        if len(self.seen) > self.calls and size > self.tokens:
            if self.bare:
                raise RuntimeError(
                    "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"
                )
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    def on(self, module):
        module.register_forward_hook(self, with_kwargs=True)
        return module


def steps(told):
    return [
        (e.step, e.loss, e.grad_norm, e.learning_rate, e.label_tokens) for e in told.of("iteration_completed")
    ]


@pytest.mark.parametrize("bare", [False, True])
def test_case_64_the_samples_of_every_step_and_its_gradient_stay_the_same(bench, llama, weights, bare):
    import torch

    plain, scarce = llama(dropout=0.0), Memory(80, bare=bare).on(llama(dropout=0.0))
    expected, told = bench.train(plain, folder="plain", **SETTINGS)
    outcome, retold = bench.train(scarce, talks=True, **SETTINGS)
    for ours, theirs in zip(steps(told), steps(retold), strict=True):
        assert theirs == pytest.approx(ours, rel=1e-6)
        assert theirs[-1] == ours[-1], "other samples"
    mine, other = weights(plain), weights(scarce)
    assert all(torch.allclose(mine[name], other[name], rtol=1e-4, atol=1e-6) for name in mine)
    assert (outcome.micro_batch, outcome.micro_batch_step) == (2, 1)
    assert (expected.micro_batch, expected.micro_batch_step) == (None, None)
    (line,) = bench.said
    assert line == (
        "first: memory does not suffice for 4 samples at once in step 1: 2 at once from there "
        "on, the same samples in every optimizer step"
    )


def test_the_gradient_of_a_step_is_that_of_the_uncut_one(bench, llama):
    """To 1e-6 of its length, without dropout."""
    import torch

    found = []
    for memory in (10_000, 80, 50):
        module = Memory(memory).on(llama(dropout=0.0))
        before = {n: p.detach().clone() for n, p in module.named_parameters() if p.requires_grad}
        bench.train(
            module, folder=str(memory), talks=True, max_steps=1, optimizer="sgd", max_grad_norm=0.0, learning_rate=1.0,
            **{**SETTINGS, "epochs": 1.0},
        )  # fmt: skip
        found.append(
            torch.cat([(p - before[n]).flatten() for n, p in module.named_parameters() if n in before])
        )
    whole, *cut = found
    assert whole.norm() > 0
    assert all((gradient - whole).norm() <= 1e-6 * whole.norm() for gradient in cut)


def test_it_is_halved_again_down_to_one_sample(bench, llama):
    outcome, told = bench.train(Memory(40).on(llama()), talks=True, **SETTINGS)
    assert (outcome.steps, outcome.micro_batch) == (4, 1)
    assert [line.split(" samples")[0].rpartition(" ")[2] for line in bench.said] == ["4", "2"]
    assert len(told.of("iteration_completed")) == 4


def test_case_64_where_one_sample_is_too_much_the_error_says_what_to_do_and_the_checkpoint_is_kept(
    bench, llama
):
    memory = Memory(5, calls=2 * 2)
    with pytest.raises(MachineError) as caught:
        bench.train(memory.on(llama()), talks=True, save_steps=1, **SETTINGS)
    assert caught.value.exit_code == 5
    assert "gradient_checkpointing" in caught.value.help
    assert (bench.folder / "train" / "checkpoint-2" / "complete.json").exists()


def test_what_is_no_want_of_memory_passes_through(bench, llama):
    def failing(module, args):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    module = llama()
    module.register_forward_pre_hook(failing)
    with pytest.raises(RuntimeError, match="mat1"):
        bench.train(module, **SETTINGS)


@pytest.mark.parametrize("calls", [0, 1])
def test_a_training_that_got_smaller_is_resumed_exactly(bench, llama, same, calls):
    """In the first micro-batch of a step and in a later one; with dropout."""
    whole, parts, fresh = Memory(80, calls=calls).on(llama()), Memory(80, calls=calls).on(llama()), llama()
    expected, told = bench.train(whole, folder="whole", talks=True, **SETTINGS)
    assert expected.micro_batch == 2
    bench.train(parts, talks=True, answers={("iteration_completed", 3): CUT}, **SETTINGS)
    outcome, retold = bench.train(fresh, resume=True, talks=True, **SETTINGS)
    assert outcome == expected
    assert same(fresh, whole)
    assert steps(retold) == steps(told)[3:]


class Gone(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_resumed_training_gets_smaller_at_the_same_step_with_any_memory(bench, llama, same, checkpoint):
    """The last checkpoint, if there is one, is older than the change, which came in mid-step.

    So an attempt that failed for want of memory leaves no trace: the resumed training never makes it.
    """

    def fire(event):
        if (event.name, event.step) == ("iteration_started", 3):
            raise Gone
        return Control(checkpoint=checkpoint and event.name == "iteration_completed" and event.step == 1)

    memory = {"tokens": 80, "calls": 4}
    settings = {**SETTINGS, "group_by_length": False}
    whole, fresh = Memory(**memory).on(llama()), llama()
    expected, _ = bench.train(whole, folder="whole", talks=True, **settings)
    assert expected.micro_batch_step == 3
    with pytest.raises(Gone):
        bench.train(Memory(**memory).on(llama()), fire=fire, talks=True, **settings)
    outcome, _ = bench.train(fresh, resume=True, **settings)
    assert outcome == expected
    assert same(fresh, whole)


def test_without_resume_memory_is_tried_anew(bench, llama):
    bench.train(Memory(80).on(llama()), talks=True, **SETTINGS)
    outcome, _ = bench.train(llama(), **SETTINGS)
    assert outcome.micro_batch is None


def test_sizes_that_somebody_damaged_are_left_out(bench, llama):
    folder = bench.folder / "train"
    folder.mkdir()
    for text in ("{", "[]", json.dumps({"changes": [["x", 1]]}), json.dumps({"changes": 5})):
        (folder / "micro_batches.json").write_text(text, encoding="utf-8")
        outcome, _ = bench.train(llama(), resume=True, max_steps=1, **SETTINGS)
        assert outcome.micro_batch is None


def test_streams_get_smaller_too_and_resume_exactly(bench, llama, same, circle):
    settings = {"batch_size": 4, "grad_accum": 3, "max_steps": 6, "reading": circle}
    whole, fresh = Memory(80, calls=7).on(llama()), llama()
    expected, _ = bench.train(whole, folder="whole", talks=True, **settings)
    assert expected.micro_batch_step == 3
    bench.train(
        Memory(80, calls=7).on(llama()), talks=True, answers={("iteration_completed", 4): CUT}, **settings
    )
    outcome, _ = bench.train(fresh, resume=True, **settings)
    assert outcome == expected
    assert same(fresh, whole)


@pytest.mark.parametrize("reading", ["epochs", "a stream"])
def test_the_largest_micro_batch_goes_first_and_changes_nothing(bench, llama, same, circle, reading):
    more = {"reading": circle, "max_steps": 6} if reading == "a stream" else {}
    plain, rehearsed = llama(), llama()
    memory = Memory(10_000)
    expected, told = bench.train(plain, folder="plain", save_steps=1, **SETTINGS, **more)
    outcome, retold = bench.train(memory.on(rehearsed), rehearse=True, save_steps=1, **SETTINGS, **more)
    assert outcome == expected
    assert same(rehearsed, plain)
    assert steps(retold) == steps(told)
    assert memory.seen[0] == max(memory.seen)
    for name in ("random.json", "random.safetensors", "optimizer.safetensors"):
        one, other = (bench.folder / n / f"checkpoint-{outcome.steps}" / name for n in ("plain", "train"))
        assert one.read_bytes() == other.read_bytes()


def test_too_little_memory_shows_before_the_first_step(bench, llama):
    memory = Memory(80)
    outcome, _ = bench.train(memory.on(llama()), rehearse=True, talks=True, **SETTINGS)
    assert memory.seen[0] > 80 >= max(memory.seen[1:])
    assert (outcome.micro_batch, outcome.micro_batch_step) == (2, 1)
    assert len(bench.said) == 1


def test_a_resumed_training_rehearses_too_and_stays_exact(bench, llama, same):
    whole, fresh = llama(), llama()
    bench.train(whole, folder="whole", rehearse=True, **SETTINGS)
    bench.train(llama(), rehearse=True, answers={("iteration_completed", 1): CUT}, **SETTINGS)
    memory = Memory(10_000)
    bench.train(memory.on(fresh), rehearse=True, resume=True, **SETTINGS)
    assert same(fresh, whole)
    assert memory.seen[0] == max(memory.seen)
