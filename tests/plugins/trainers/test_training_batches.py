"""The order of micro-batches."""

import random
from array import array

import pytest

from pipeline_dsl.api import Prepared

LENGTHS = [(n * 37) % 101 + 3 for n in range(150)]


@pytest.mark.parametrize("group", [True, False])
@pytest.mark.parametrize("size", [1, 4, 7])
def test_every_sample_is_in_exactly_one_batch(group, size):
    from medrecipe_plugins.trainers._batches import batches

    made = batches(LENGTHS, size, "7/0", group=group)
    assert sorted(place for batch in made for place in batch) == list(range(150))
    assert len(made) == -(-150 // size)
    assert all(len(batch) == size for batch in made[:-1])


def test_order_depends_on_the_key_alone():
    from medrecipe_plugins.trainers._batches import batches

    first = batches(LENGTHS, 4, "7/0", group=True)
    random.seed(99)
    assert batches(LENGTHS, 4, "7/0", group=True) == first
    assert batches(LENGTHS, 4, "7/1", group=True) != first


def test_making_batches_draws_no_random_number():
    import torch

    from medrecipe_plugins.trainers._batches import EpochBatches, loader

    items = [Prepared("row", array("i", [1] * length), 1) for length in LENGTHS]
    source = EpochBatches(lambda _: items, count=150, batch_size=4, group_by_length=True, seed=3)
    source.set_epoch(0)
    python, pytorch = random.getstate(), torch.get_rng_state()
    assert len(list(loader(source))) == 38
    assert random.getstate() == python
    assert torch.equal(torch.get_rng_state(), pytorch)


def test_grouping_saves_padding():
    from medrecipe_plugins.trainers._batches import batches

    def padded(group):
        made = batches(LENGTHS, 4, "7/0", group=group)
        return sum(len(batch) * max(LENGTHS[place] for place in batch) for batch in made)

    assert padded(group=True) < 1.1 * sum(LENGTHS) < padded(group=False)


def test_without_grouping_the_order_is_the_recipes():
    from medrecipe_plugins.trainers._batches import batches

    assert batches([5, 1, 9, 2, 3], 2, "7/0", group=False) == [[0, 1], [2, 3], [4]]


def test_labels_are_the_following_tokens_and_padding_is_masked_by_length():
    from medrecipe_plugins.trainers._batches import IGNORED, collate

    made = collate([Prepared("row", array("i", [0, 5, 6, 1]), 2), Prepared("row", array("i", [0, 1]), 1)])
    assert made["input_ids"].tolist() == [[0, 5, 6, 1], [0, 1, 0, 0]]
    assert made["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert made["labels"].tolist() == [[IGNORED, 6, 1, IGNORED], [1, IGNORED, IGNORED, IGNORED]]


def test_copies_of_a_sample_are_grouped_round_by_round():
    """A source that is shorter than a window comes several times in one: sorted by length, copies would meet."""
    from medrecipe_plugins.trainers._batches import batches

    lengths, names = [9, 7, 5, 3] * 8, list("abcd") * 8
    made = batches(lengths, 4, "7/0", group=True, names=names)
    assert all(len({names[place] for place in batch}) == 4 for batch in made)
    assert sorted(place for batch in made for place in batch) == list(range(32))
