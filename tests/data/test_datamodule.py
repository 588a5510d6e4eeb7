"""Batches."""

import pytest
import torch
from settings import config

from genlab.errors import UsageError
from genlab.runs.build import build


def datamodule(*overrides: str):
    module = build(config(*overrides).data)
    module.setup()
    return module


def test_a_batch_is_uint8_until_it_is_on_the_device_and_then_between_minus_one_and_one():
    module = datamodule("data.batch_size=8")
    x, y = next(iter(module.train_dataloader()))
    assert (x.dtype, x.shape, y.shape) == (torch.uint8, (8, 1, 28, 28), (8,))
    on_device, _ = module.on_after_batch_transfer((x, y), 0)
    assert (on_device.min().item(), on_device.max().item()) == (-1.0, 1.0)


def test_images_and_labels_stay_together():
    module = datamodule("data.batch_size=16")
    train = module.splits["train"]
    for x, y in list(module.train_dataloader())[:3]:
        for image, label in zip(x, y, strict=True):
            row = (train.images == image).flatten(1).all(1).nonzero().item()
            assert train.labels[row] == label


def test_a_limit_takes_so_many_images_of_each_split():
    module = datamodule("data.limit=20", "data.batch_size=4")
    assert {name: len(split.images) for name, split in module.splits.items()} == {
        "train": 20,
        "val": 20,
        "test": 20,
    }


def test_loading_leaves_the_global_random_state_alone():
    module = datamodule()
    state = torch.get_rng_state()
    next(iter(module.train_dataloader()))
    next(iter(module.val_dataloader()))
    assert torch.equal(torch.get_rng_state(), state)


def test_worker_processes_serve_the_same_batches():
    few = ("data.limit=64", "data.batch_size=16")
    without, with_one = (datamodule(*few, f"data.num_workers={n}").train_dataloader() for n in (0, 1))
    for (x, _), (same, _) in zip(without, with_one, strict=True):
        assert torch.equal(x, same)


@pytest.mark.parametrize(
    "override",
    [
        "data.batch_size=0",
        "data.size=4",
        "data.size=257",
        "data.channels=2",
        "data.limit=0",
        "data.num_workers=-1",
    ],
)
def test_an_impossible_value_is_refused_by_the_name_of_its_key(override):
    with pytest.raises(UsageError, match=override.split("=")[0]):
        datamodule(override)


def test_a_batch_larger_than_the_data_set_is_refused_with_both_numbers():
    with pytest.raises(UsageError, match=r"data\.batch_size=4001.*4000 training images"):
        datamodule("data.batch_size=4001")
