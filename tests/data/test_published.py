"""Data sets that others publish, read from files in the layout of the originals."""

from zipfile import ZipFile

import layouts
import numpy as np
import pytest
import torch
import torchvision.datasets as published
from PIL import Image
from settings import config

from genlab.data import CelebA, ImageDataModule
from genlab.errors import UsageError
from genlab.runs.build import build

WITH_TEST = ["mnist", "fashion_mnist", "kmnist", "cifar10", "svhn"]


def datamodule(name: str, *overrides: str) -> ImageDataModule:
    module = build(config(f"data={name}", *overrides).data)
    module.setup()
    return module


@pytest.fixture
def laid_out(tmp_path, monkeypatch):
    """Lay a data set out, and return what leads there."""

    def lay_out(name: str) -> list[str]:
        here = getattr(layouts, name)(tmp_path / "raw", monkeypatch)
        return [*here, f"paths.data_dir={tmp_path}"]

    return lay_out


@pytest.mark.parametrize("name", WITH_TEST)
def test_the_official_test_split_is_kept_and_validation_is_taken_out_of_training(name, laid_out):
    module = datamodule(name, *laid_out(name))
    sizes = {name: len(split.labels) for name, split in module.splits.items()}
    assert sizes == {"train": 36, "val": 4, "test": 20}


def test_without_a_share_for_validation_training_is_complete_and_the_test_images_validate(laid_out):
    module = datamodule("mnist", "data.val_share=0", *laid_out("mnist"))
    images, labels = layouts.real_digits(60)
    assert (module.images("train")[:].numpy()[:, 0] == images[:40]).all()
    assert (module.splits["train"].labels.numpy() == labels[:40]).all()
    assert torch.equal(module.images("val")[:], module.images("test")[:])


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_grey_digits_are_the_originals(name, laid_out):
    module = datamodule(name, *laid_out(name))
    images, labels = layouts.real_digits(60)
    assert (module.images("test")[:].numpy()[:, 0] == images[40:]).all()
    assert (module.splits["test"].labels.numpy() == labels[40:]).all()
    held_out = torch.cat([module.images("train")[:], module.images("val")[:]]).numpy()[:, 0]
    assert {image.tobytes() for image in held_out} == {image.tobytes() for image in images[:40]}
    assert len(module.source.manifest["label_names"]) == 10


@pytest.mark.parametrize("name", ["cifar10", "svhn"])
def test_colour_images_are_the_originals(name, laid_out):
    module = datamodule(name, *laid_out(name))
    n, start = (60, 40) if name == "cifar10" else (20, 0)
    expected = layouts.photographs(n, 32, 32)[start:].transpose(0, 3, 1, 2)
    assert (module.images("test")[:].numpy() == expected).all()
    labels = np.arange(20) if name == "cifar10" else np.arange(1, 21)  # the 10 of SVHN is the digit 0
    assert module.splits["test"].labels.tolist() == (labels % 10).tolist()


def test_what_was_prepared_needs_the_original_files_no_more(laid_out, tmp_path, monkeypatch):
    here = laid_out("mnist")
    before = datamodule("mnist", *here).images("train")[:]
    (tmp_path / "raw").rename(tmp_path / "gone")
    monkeypatch.setattr(published.MNIST, "__init__", lambda *_, **__: pytest.fail("it was opened"))
    assert torch.equal(datamodule("mnist", *here).images("train")[:], before)


def test_a_download_that_fails_is_said_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(published.MNIST, "mirrors", ["http://nowhere.invalid/"])
    with pytest.raises(UsageError, match=r"mnist is not complete in .*can't be downloaded.*prepare.*data\.root=PATH"):
        datamodule("mnist", f"paths.data_dir={tmp_path}")


def test_a_file_that_is_not_the_published_one_is_refused(laid_out, tmp_path, monkeypatch):
    here = laid_out("svhn")
    file = tmp_path / "raw" / "test_32x32.mat"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(UsageError, match="svhn is not complete"):
        datamodule("svhn", *here)


@pytest.mark.parametrize("zipped", [False, True], ids=["unpacked", "zipped"])
@pytest.mark.parametrize("table", ["txt", "csv"])
@pytest.mark.parametrize("place", ["", "celeba"])
def test_celeba_is_read_as_people_have_it(place, table, zipped, tmp_path):
    layouts.celeba_in(tmp_path / "raw" / place, zipped, table)
    source = CelebA(str(tmp_path / "raw"), cache_dir=str(tmp_path / "prepared"), crop=148)
    splits = source(64, 3)
    assert {name: len(split.labels) for name, split in splits.items()} == {"train": 40, "val": 20, "test": 20}
    assert source.manifest["label_names"] == layouts.published_attributes()
    signs = np.where(np.random.default_rng(0).random((80, 40)) < 0.5, -1, 1)
    labels = torch.cat([splits[name].labels for name in ("train", "val", "test")])
    assert (labels.numpy() == (signs > 0)).all()
    original = Image.fromarray(layouts.photographs(80, 218, 178)[40]).crop((15, 35, 163, 183))  # 148 in the middle
    expected = np.asarray(original.resize((64, 64), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.abs(splits["val"].images[:1].numpy()[0].astype(float) - expected).mean() < 3  # it was a JPEG


def test_celeba_is_cropped_as_in_the_literature(tmp_path):
    node = config("data=celeba").data
    assert (node.crop, node.size, node.channels) == (148, 64, 3)


def test_images_of_the_partition_that_are_missing_are_rejected_by_name(tmp_path):
    layouts.celeba_in(tmp_path)
    (tmp_path / "img_align_celeba" / "000007.jpg").unlink()
    with pytest.raises(UsageError, match=r"1 of the 80 files of celeba can't be read.*000007\.jpg"):
        CelebA(str(tmp_path), cache_dir=str(tmp_path / "prepared"))(16, 3)


def test_a_celeba_archive_with_a_path_out_of_itself_is_refused(tmp_path):
    layouts.celeba_in(tmp_path, zipped=True)
    with ZipFile(tmp_path / "img_align_celeba.zip", "a") as archive:
        archive.writestr("../000001.jpg", b"")
    with pytest.raises(UsageError, match="leads out of the archive"):
        CelebA(str(tmp_path), cache_dir=str(tmp_path / "prepared"))(16, 3)


def test_where_the_download_of_celeba_fails_the_error_is_the_recipe(tmp_path, monkeypatch):
    def over_quota(file_id, root, filename, md5):
        raise RuntimeError("Too many users have viewed or downloaded this file\nrecently.")

    monkeypatch.setattr("genlab.data.celeba.download_file_from_google_drive", over_quota)
    with pytest.raises(UsageError) as error:
        datamodule("celeba", f"paths.data_dir={tmp_path}")
    for part in (
        "Too many users",
        "img_align_celeba.zip, list_eval_partition.txt, list_attr_celeba.txt",
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        f"into {tmp_path}/celeba",
        "data.root=PATH",
        "python src/train.py data=huggingface data.path=flwrlabs/celeba data.crop=148",
    ):
        assert part in str(error.value)


def test_only_what_is_missing_of_celeba_is_downloaded(tmp_path, monkeypatch):
    layouts.celeba_in(tmp_path / "raw")
    there = tmp_path / "raw" / "list_eval_partition.txt"
    content = there.read_text()
    there.unlink()
    asked = []

    def download(file_id, root, filename, md5):
        asked.append((filename, md5))
        (root / filename).write_text(content)

    monkeypatch.setattr("genlab.data.celeba.download_file_from_google_drive", download)
    datamodule("celeba", f"paths.data_dir={tmp_path}", f"data.root={tmp_path / 'raw'}", "data.size=16")
    assert asked == [("list_eval_partition.txt", "d32c9cbf5e040fd4025c592c306e6668")]
