"""Which images make up which batch."""

from itertools import chain

import pytest
import torch

from genlab.data.sampler import EvaluationBatches, TrainBatches


def rows(batches) -> list[int]:
    return torch.cat([batch.rows for batch in batches]).tolist()


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_in_training_no_image_is_seen_twice_in_an_epoch_over_all_processes(world_size):
    ranks = [rows(TrainBatches(50, 4, seed=0, rank=rank, world_size=world_size)) for rank in range(world_size)]
    seen = list(chain.from_iterable(ranks))
    assert len(seen) == len(set(seen)) == 50 // (4 * world_size) * 4 * world_size
    assert len({len(part) for part in ranks}) == 1


def test_two_processes_share_the_batches_of_one_with_twice_the_batch_size():
    joint = list(TrainBatches(40, 8, seed=3))
    halves = [list(TrainBatches(40, 4, seed=3, rank=rank, world_size=2)) for rank in (0, 1)]
    for step, batch in enumerate(joint):
        assert torch.equal(batch.rows, torch.cat([halves[0][step].rows, halves[1][step].rows]))


def test_the_order_depends_on_seed_and_epoch_alone():
    batches, resumed = TrainBatches(30, 5, seed=1), TrainBatches(30, 5, seed=1)
    first = rows(batches)
    batches.set_epoch(1)
    resumed.set_epoch(1)
    assert rows(batches) == rows(resumed) != first
    assert rows(TrainBatches(30, 5, seed=2)) != first


@pytest.mark.parametrize(("n_images", "batch_size", "world_size"), [(500, 128, 1), (500, 128, 2), (7, 2, 3), (5, 9, 2)])
def test_in_evaluation_each_image_is_seen_exactly_once(n_images, batch_size, world_size):
    ranks = [EvaluationBatches(n_images, batch_size, rank, world_size) for rank in range(world_size)]
    assert sorted(chain.from_iterable(rows(rank) for rank in ranks)) == list(range(n_images))
    assert len({len(rank) for rank in ranks}) == 1  # as many batches on each, or one would wait for the others
    assert all(0 < len(batch.rows) <= batch_size for rank in ranks for batch in rank)


def test_every_batch_has_a_seed_of_its_own_also_on_another_process_and_in_another_epoch():
    batches = [TrainBatches(40, 4, seed=0, rank=rank, world_size=2) for rank in (0, 1)]
    seeds = [batch.seed for rank in batches for batch in rank]
    batches[0].set_epoch(1)
    seeds += [batch.seed for batch in batches[0]]
    assert len(set(seeds)) == len(seeds) == 15


def test_resuming_leaves_out_what_was_trained_on_in_that_epoch_alone():
    whole, resumed = (TrainBatches(40, 4, seed=0) for _ in range(2))
    resumed.resume(epoch=2, position=7)
    for epoch, n_left in ((2, 3), (3, 10)):
        whole.set_epoch(epoch)
        resumed.set_epoch(epoch)
        assert rows(resumed) == rows(whole)[-4 * n_left :]
        assert [batch.seed for batch in resumed] == [batch.seed for batch in whole][-n_left:]
