"""Batches."""

import itertools
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from settings import config

from genlab import devices
from genlab.config.build import build
from genlab.data import Digits, ImageDataModule
from genlab.data.derived import binarized
from genlab.data.sampler import EvaluationBatches
from genlab.errors import UsageError
from genlab.protocols import Split


def datamodule(*overrides: str) -> ImageDataModule:
    module = build(config(*overrides).data)
    module.setup()
    return module


def on_device(module: ImageDataModule, loader: str = "train_dataloader", epoch: int = 0) -> list[torch.Tensor]:
    """The images of an epoch as the model gets them."""
    batches = getattr(module, loader)()
    if loader == "train_dataloader":
        batches.batches.set_epoch(epoch)
    return [module.on_after_batch_transfer(batch, 0)[0] for batch in batches]


CPU = SimpleNamespace(root_device=torch.device("cpu"))


def test_a_batch_is_uint8_until_it_is_on_the_device_and_then_between_minus_one_and_one():
    module = datamodule("data.batch_size=8")
    batch = next(iter(module.train_dataloader()))
    assert (batch.images.dtype, batch.images.shape, batch.labels.shape) == (torch.uint8, (8, 1, 28, 28), (8,))
    x, y = module.on_after_batch_transfer(batch, 0)
    assert (x.min().item(), x.max().item()) == (-1.0, 1.0)
    assert torch.equal(y, batch.labels)


def test_images_and_labels_stay_together():
    module = datamodule("data.batch_size=16")
    train = module.splits["train"]
    for x, y, *_ in list(module.train_dataloader())[:3]:
        for image, label in zip(x, y, strict=True):
            row = (train.images[:] == image).flatten(1).all(1).nonzero().item()
            assert train.labels[row] == label


def test_images_that_are_kept_on_the_device_come_in_the_same_batches(monkeypatch):
    monkeypatch.setattr(devices, "free_bytes", lambda _: 2**30)
    plain, kept = (
        datamodule("data.batch_size=8", "data.limit=90", f"data.device={place}") for place in ("cpu", "auto")
    )
    before = kept.splits["train"].images
    for one, same in zip(plain.train_dataloader(), loader := kept.train_dataloader(), strict=True):
        assert torch.equal(one.images, same.images)
        assert torch.equal(one.labels, same.labels)
    assert loader.dataset.split.images is not before


def test_images_that_the_device_does_not_hold_stay_where_they_are(monkeypatch):
    images = torch.zeros(10, 1, 4, 4, dtype=torch.uint8)
    for free, is_kept in ((0, False), (319, False), (320, True)):
        monkeypatch.setattr(devices, "free_bytes", lambda _, free=free: free)
        assert (devices.load_onto(images, torch.device("meta")) is not None) == is_kept


@pytest.mark.parametrize("name", ["digits", "shapes"])
def test_a_limit_takes_so_many_images_of_each_split(name):
    module = datamodule(f"data={name}", "data.limit=20", "data.batch_size=4")
    sizes = {name: (len(split.images), len(split.labels)) for name, split in module.splits.items()}
    assert sizes == {"train": (20, 20), "val": (20, 20), "test": (20, 20)}


def test_examples_come_from_all_over_a_split_and_are_no_more_than_there_are():
    module = datamodule("data.limit=20", "data.batch_size=4")
    images = module.images("val")
    assert torch.equal(module.examples("val", 4), images[torch.tensor([0, 5, 10, 15])])
    assert torch.equal(module.examples("val", 99), images[:])


@pytest.mark.parametrize("options", [(), ("data.flip=true", "data.binarize=dynamic")], ids=["plain", "random"])
def test_loading_leaves_the_global_random_state_alone(options):
    module = datamodule("data.limit=64", *options)
    state = torch.get_rng_state()
    on_device(module)
    on_device(module, "val_dataloader")
    assert torch.equal(torch.get_rng_state(), state)


def test_worker_processes_serve_the_same_batches():
    few = ("data.limit=64", "data.batch_size=16")
    without, with_one = (datamodule(*few, f"data.num_workers={n}").train_dataloader() for n in (0, 1))
    for loader in (without, with_one):
        loader.batches.set_epoch(3)  # as Lightning does, between making the iterator and the first batch
    for batch, same in zip(without, with_one, strict=True):
        assert torch.equal(batch.images, same.images)


def test_flips_mirror_about_half_of_the_training_images_and_others_in_another_epoch():
    few = ("data.limit=400", "data.batch_size=400")
    plain, flipped, later = (
        torch.cat(on_device(datamodule(*few, f"data.flip={flip}"), epoch=epoch))
        for flip, epoch in ((False, 0), (True, 0), (True, 1))
    )
    is_flipped = (flipped == plain.flip(-1)).flatten(1).all(1)
    assert ((flipped == plain).flatten(1).all(1) | is_flipped).all()
    assert 150 < is_flipped.sum() < 250
    again = torch.cat(on_device(datamodule(*few, "data.flip=true")))
    assert torch.equal(again, flipped)
    assert not torch.equal(later, flipped)


def test_images_are_not_flipped_in_evaluation():
    few = ("data.limit=64", "data.batch_size=64")
    plain, flip = (on_device(datamodule(*few, f"data.flip={flip}"), "val_dataloader") for flip in (False, True))
    assert torch.equal(plain[0], flip[0])


def test_a_binarised_pixel_is_white_as_often_as_its_level_says():
    levels = torch.tensor([0, 51, 128, 255], dtype=torch.uint8).view(1, 1, 2, 2).expand(4000, 1, 2, 2)
    drawn = binarized(levels, torch.Generator().manual_seed(0)).float().mean(0).flatten() / 255
    assert drawn[0] == 0
    assert drawn[3] == 1
    assert torch.allclose(drawn[1:3], torch.tensor([51 / 255, 128 / 255]), atol=0.03)


def test_dynamic_binarisation_draws_anew_in_each_epoch_and_alike_in_each_evaluation():
    module = datamodule("data.limit=32", "data.batch_size=32", "data.binarize=dynamic")
    order, later = (on_device(module, epoch=epoch)[0] for epoch in (0, 1))
    assert set(order.unique().tolist()) == {-1.0, 1.0}
    assert not torch.equal(order.sum((1, 2, 3)).sort().values, later.sum((1, 2, 3)).sort().values)
    first, second = (on_device(module, "val_dataloader")[0] for _ in range(2))
    assert torch.equal(first, second)


def test_fixed_binarisation_is_drawn_once_for_all_runs():
    few = ("data.limit=32", "data.batch_size=32", "data.binarize=fixed")
    first, other = (datamodule(*few, f"seed={seed}").images("train")[:] for seed in (0, 1))
    assert torch.equal(first, other)
    assert set(first.unique().tolist()) == {0, 255}
    later = datamodule(*few)
    sums = [on_device(later, epoch=epoch)[0].sum((1, 2, 3)).sort().values for epoch in (0, 1)]
    assert torch.equal(*sums)


class Grey:
    """Twelve images of one grey level in each split."""

    def __call__(self, size, channels, limit=None):
        images = torch.full((12, channels, size, size), 128, dtype=torch.uint8)
        return {name: Split(images, torch.zeros(12)) for name in ("train", "val", "test")}


def grey(binarize: str) -> ImageDataModule:
    module = ImageDataModule(Grey(), "grey", 1, 16, (1, 16, 16), batch_size=4, binarize=binarize)
    module.setup()
    return module


def test_equal_images_of_different_splits_are_binarised_by_other_noise():
    fixed, dynamic = grey("fixed"), grey("dynamic")
    splits = ("train", "val", "test")
    for drawn in (
        [fixed.images(name)[:] for name in splits],
        [dynamic.images(name)[:] for name in splits],
        [torch.cat(on_device(dynamic, loader)) for loader in ("val_dataloader", "test_dataloader")],
    ):
        for first, second in itertools.combinations(drawn, 2):
            assert 0.4 < (first == second).double().mean() < 0.6  # two fair coins


def test_processes_binarise_their_parts_of_a_split_by_other_noise():
    seeds = [[batch.seed for batch in EvaluationBatches(12, 2, rank, 2, split=1)] for rank in (0, 1)]
    assert seeds == [[1, 7, 13], [4, 10, 16]]


def test_a_batch_larger_than_the_data_set_is_refused_with_both_numbers():
    with pytest.raises(UsageError, match=r"data\.batch_size=4001.*4000 training images"):
        datamodule("data.batch_size=4001").train_dataloader()


@pytest.mark.parametrize(("n", "is_refused"), [(1, True), (2, False)])
def test_processes_without_a_validation_image_are_refused_before_they_train(n, is_refused):
    module = datamodule("data.limit=8", "data.batch_size=2")
    module.splits["val"] = module.splits["val"]._replace(images=module.images("val")[:n])
    module.trainer = SimpleNamespace(global_rank=0, world_size=2, limit_val_batches=1.0, strategy=CPU)
    with pytest.raises(UsageError, match=r"2 processes share 1 .*trainer\.devices=1") if is_refused else nullcontext():
        module.train_dataloader()


def test_a_setting_that_the_source_does_not_take_is_refused_with_those_that_it_does():
    with pytest.raises(UsageError, match=r"unexpected keyword argument 'depth'.*root.*test_share.*crop"):
        build(config("data=folder", "data.root=x", "+data.depth=3").data)


@pytest.mark.parametrize(("override", "meant"), [("fit=cove", "cover"), ("filter=cubic", "bicubic")])
def test_an_unknown_fit_or_filter_is_refused_with_the_nearest_one(override, meant):
    with pytest.raises(UsageError, match=rf"data\.{override.partition('=')[0]} .*Did you mean '{meant}'"):
        build(config("data=folder", "data.root=x", f"data.{override}").data)


def test_a_grey_data_set_in_colour_is_said_once(caplog):
    caplog.set_level("INFO")
    datamodule("data.channels=3")
    assert caplog.text.count("digits are grey") == 1
    caplog.clear()
    datamodule()
    assert "grey" not in caplog.text


def test_a_configuration_of_an_earlier_version_still_gives_the_digits():
    """Its source is an object and no partial, and there is no flip, no binarize."""
    node = {
        "_target_": "genlab.data.ImageDataModule",
        "source": {"_target_": "genlab.data.Digits"},
        "name": "digits",
        "channels": 1,
        "size": 28,
        "image_shape": [1, 28, 28],
        "batch_size": 64,
        "limit": 10,
        "num_workers": 0,
        "seed": 0,
    }
    assert torch.equal(build(node).images("test")[:], Digits()(limit=10)["test"].images[:])
