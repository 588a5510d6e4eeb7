"""Data sets that others publish, read from files in the layout of the originals."""

import gzip
import shutil

import layouts
import numpy as np
import pytest
import torch
import torchvision.datasets as published
from PIL import Image
from settings import config

from genlab.config.build import build
from genlab.data import CelebA, ImageDataModule
from genlab.errors import UsageError

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


@pytest.mark.parametrize(("share", "split", "n"), [("0.1", "train+val", 40), ("0", "train", 40)])
def test_the_official_training_set_is_complete_whatever_part_of_it_validates(share, split, n, laid_out):
    module = datamodule("cifar10", f"data.val_share={share}", *laid_out("cifar10"))
    assert module.official_train == split
    images = module.images(module.official_train)[:].numpy()
    assert len(images) == n
    official = layouts.photographs(60, 32, 32)[:40].transpose(0, 3, 1, 2)
    assert {image.tobytes() for image in images} == {image.tobytes() for image in official}


def test_an_official_split_stays_as_it_is(laid_out):
    assert datamodule("celeba", *laid_out("celeba")).official_train == "train"


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_grey_digits_are_the_originals(name, laid_out):
    module = datamodule(name, *laid_out(name))
    images, labels = layouts.real_digits(60)
    assert (module.images("test")[:].numpy()[:, 0] == images[40:]).all()
    assert (module.splits["test"].labels.numpy() == labels[40:]).all()
    held_out = torch.cat([module.images("train")[:], module.images("val")[:]]).numpy()[:, 0]
    assert {image.tobytes() for image in held_out} == {image.tobytes() for image in images[:40]}
    assert len(module.source.manifest["label_names"]) == 10


@pytest.fixture
def flat(tmp_path):
    """Fashion-MNIST's four files, packed, in one folder."""
    layouts.idx_files(tmp_path, "FashionMNIST")
    for path in (raw := tmp_path / "FashionMNIST" / "raw").iterdir():
        if path.suffix != ".gz":
            path.unlink()
    return raw


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "unpacked"])
def test_the_four_files_may_lie_in_the_folder_itself_which_stays_as_it_is(packed, flat, tmp_path):
    for path in flat.iterdir() if not packed else ():
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    before = sorted(flat.iterdir())
    module = datamodule("fashion_mnist", f"data.root={flat}", f"paths.data_dir={tmp_path}")
    images, labels = layouts.real_digits(60)
    assert (module.images("test")[:].numpy()[:, 0] == images[40:]).all()
    assert (module.splits["test"].labels.numpy() == labels[40:]).all()
    assert sorted(flat.iterdir()) == before


def half(path):
    path.write_bytes(path.read_bytes()[:-100])


def another_byte(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def cut(path):
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes())[:-1])
    path.unlink()


@pytest.mark.parametrize("damage", [half, another_byte, cut])
def test_a_damaged_file_is_named(damage, flat, tmp_path):
    damage(flat / "t10k-images-idx3-ubyte.gz")
    with pytest.raises(UsageError, match=r"t10k-images-idx3-ubyte(\.gz)? is damaged \(.+\): download it anew"):
        datamodule("fashion_mnist", f"data.root={flat}", f"paths.data_dir={tmp_path}")


def test_a_file_that_is_missing_beside_the_others_is_named(flat, tmp_path):
    (flat / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UsageError, match=r"but not train-labels-idx1-ubyte\.gz: put that there too"):
        datamodule("fashion_mnist", f"data.root={flat}", f"paths.data_dir={tmp_path}")


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


def test_what_had_to_be_downloaded_is_decoded_once(tmp_path, monkeypatch, caplog):
    """Its files are not there when they are looked at first."""
    layouts.cifar10(tmp_path / "server", monkeypatch)
    monkeypatch.setattr(
        published.CIFAR10, "download", lambda self: shutil.copytree(tmp_path / "server", self.root, dirs_exist_ok=True)
    )
    caplog.set_level("INFO")
    for _ in range(2):
        datamodule("cifar10", f"paths.data_dir={tmp_path}", "data.size=8")
    assert caplog.text.count("Decoding cifar10 once") == 1


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


def test_celeba_trains_on_all_of_its_images_if_asked_to(tmp_path):
    layouts.celeba_in(tmp_path / "raw", True, "txt")
    where = {"root": str(tmp_path / "raw"), "cache_dir": str(tmp_path / "prepared")}
    every, official = CelebA(partition="all", **where)(16, 3), CelebA(**where)(16, 3)
    assert {name: len(split.labels) for name, split in every.items()} == {"train": 80, "val": 20, "test": 20}
    parts = [official[name].images[:] for name in ("train", "val", "test")]
    assert torch.equal(every["train"].images[:], torch.cat(parts))


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


def test_other_pictures_under_the_same_names_are_other_images(tmp_path):
    """Equal lists, and files of equal sizes."""
    shown = []
    for root, level in (("a", 10), ("b", 200)):
        layouts.celeba_in(tmp_path / root)
        for path in (tmp_path / root / "img_align_celeba").iterdir():
            Image.new("RGB", (178, 218), (level,) * 3).save(path, "BMP")
        splits = CelebA(str(tmp_path / root), cache_dir=str(tmp_path / "prepared"))(16, 3)
        shown.append(splits["train"].images[:].unique().tolist())
    assert shown == [[10], [200]]


def test_celeba_that_was_prepared_is_found_when_its_files_are_gone(tmp_path, monkeypatch):
    monkeypatch.setattr("genlab.data.celeba.download_file_from_google_drive", lambda *_: pytest.fail("a download"))
    layouts.celeba_in(tmp_path / "raw")
    first, again = (CelebA(str(tmp_path / "raw"), cache_dir=str(tmp_path / "prepared")) for _ in range(2))
    images = first(16, 3)["val"].images[:]
    (tmp_path / "raw" / "img_align_celeba").rename(tmp_path / "gone")  # the lists are kept
    assert torch.equal(again(16, 3)["val"].images[:], images)


def test_images_without_attributes_are_unlabelled_and_those_without_a_split_are_left_out(tmp_path, caplog):
    layouts.celeba_in(tmp_path)
    lists = {name: tmp_path / f"list_{name}.txt" for name in ("attr_celeba", "eval_partition")}
    lines = lists["attr_celeba"].read_text().splitlines()
    lists["attr_celeba"].write_text("\n".join(line for line in lines if not line.startswith("000003")) + "\n")
    lines = lists["eval_partition"].read_text().splitlines()
    lists["eval_partition"].write_text("\n".join(line for line in lines if not line.startswith("00001")) + "\n")
    source = CelebA(str(tmp_path), cache_dir=str(tmp_path / "prepared"))
    caplog.set_level("INFO")
    splits = source(16, 3)
    assert splits["train"].labels[2].tolist() == [-1] * 40
    assert (splits["train"].labels >= 0).all(1).sum() == 29  # 40, without ten that are not named and one
    assert "40 labels an image: 5_o_Clock_Shadow, Arched_Eyebrows" in caplog.text
    assert "; 1 images have none" in caplog.text


@pytest.mark.parametrize(
    ("name", "line", "part"),
    [
        ("list_eval_partition.txt", "000099.jpg train", "can't be read as a table of numbers"),
        ("list_attr_celeba.txt", "000099.jpg" + " x" * 40, "can't be read as a table of numbers"),
        ("list_attr_celeba.txt", "000099.jpg" + " 1" * 50, "can't be read as a table of numbers"),
    ],
)
def test_lists_that_are_odd_are_refused_by_their_names(name, line, part, tmp_path):
    layouts.celeba_in(tmp_path)
    with (tmp_path / name).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageError, match=rf"{name} .*{part}"):
        CelebA(str(tmp_path), cache_dir=str(tmp_path / "prepared"))(16, 3)


def test_an_empty_list_is_refused(tmp_path):
    layouts.celeba_in(tmp_path)
    (tmp_path / "list_attr_celeba.txt").write_text("")
    with pytest.raises(UsageError, match=r"list_attr_celeba\.txt can't be read as a table"):
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
