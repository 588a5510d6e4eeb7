"""What folders above images mean."""

from pathlib import Path

import pytest

from genlab.data.layout import Layout, read_layout
from genlab.errors import UsageError


def layout(*names: str) -> Layout:
    return read_layout(sorted(names), Path("photos"))


SPLITS = [
    (["train/a.png", "test/b.png"], ["test", "train"]),
    (["Train/a.png", "TESTING/b.png", "valid/c.png"], ["test", "train", "val"]),
    (["faces/train/x/a.png", "faces/test/x/b.png"], ["test", "train"]),
    (["a/b/c/train/a.png", "a/b/c/val/b.png"], ["train", "val"]),
    (["train2017/a.png", "val2017/b.png", "test2017/c.png"], ["test", "train", "val"]),
    (["images-train/a.png", "images-test/b.png"], ["test", "train"]),
    (["Training Set/a.png", "Test_Set/b.png"], ["test", "train"]),
    (["train/images/a.png", "dev/images/b.png"], ["val", "train"]),
    (["train/a.png", "eval/b.png", "holdout/c.png"], ["val", "test", "train"]),
    (["train/a.png", "train/b.png"], [None, None]),
    (["test/a.png", "test/b.png"], [None, None]),
    (["val/a.png", "test/b.png"], [None, None]),
    (["a.png", "b.png"], [None, None]),
]


@pytest.mark.parametrize(("names", "splits"), SPLITS, ids=lambda value: ",".join(map(str, value)))
def test_splits_are_seen_below_a_folder_that_holds_all(names, splits):
    assert layout(*names).splits == splits


CLASSES = [
    (["dog/a.png", "cat/young/b.png", "cat/old/c.png"], ["cat", "cat", "dog"]),
    (["pets/dog/a.png", "pets/cat/b.png"], ["cat", "dog"]),
    (["train/x/a.png", "train/y/b.png", "test/x/c.png"], ["x", "x", "y"]),
    (["train/all/x/a.png", "train/all/y/b.png", "test/all/x/c.png"], ["x", "x", "y"]),
    (["train/x/a.png", "train/y/b.png", "test/c.png"], [None, "x", "y"]),
    (["dog/a.png", "cat/b.png", "c.png"], [None, "cat", "dog"]),
    (["cats/a.png", "cats/b.png"], [None, None]),
    (["bus/a.png", "train/b.png"], ["bus", "train"]),
    (["a/1.png", "b/2.png", "test/3.png"], ["a", "b", "test"]),
    (["invalid/1.png", "valid/2.png"], ["invalid", "valid"]),
    (["trainA/1.png", "trainB/2.png"], ["trainA", "trainB"]),
    (["train/1.png", "test_tubes/2.png", "trainers/3.png"], ["test_tubes", "train", "trainers"]),
    ([f"{n}/a.png" for n in range(10)], [str(n) for n in range(10)]),
    (["01/a.png", "02/b.png"], ["01", "02"]),
    (["2023/a.png", "2024/b.png"], ["2023", "2024"]),
    (["00000/a.png", "01000/b.png", "02000/c.png"], [None] * 3),
    (["train/00000/a.png", "train/00001/b.png", "test/00000/c.png"], [None] * 3),
    (["000/x/a.png", "001/x/b.png", "001/y/c.png"], ["x", "x", "y"]),
    (["x/00000/a.png", "x/00001/b.png", "y/00000/c.png"], ["x", "x", "y"]),
]


@pytest.mark.parametrize(("names", "classes"), CLASSES, ids=lambda value: ",".join(map(str, value)))
def test_the_class_of_an_image_is_the_first_folder_that_means_something(names, classes):
    found = layout(*names)
    assert dict(zip(sorted(names), found.classes, strict=True)) == dict(zip(sorted(names), classes, strict=True))


def test_folders_that_were_found_are_named():
    found = layout("x/Train/000/a.png", "x/Train/001/b.png", "x/test/000/c.png")
    assert found.folders == {"train": "Train", "test": "test"}
    assert found.parts == ["000", "001"]


REFUSED = [
    (["train/a.png", "test/b.png", "preview.png"], "photos holds train and test, and beside them preview.png: put"),
    (["train/a.png", "preview.png"], "photos holds train, and beside them preview.png"),
    (["train/x/a.png", "val/x/b.png", "extra/c.png"], "train and val, and beside them the folder extra"),
    (["x/train/a.png", "x/test/b.png", "x/p.png"], "photos/x holds train and test, and beside them x/p.png"),
    (
        ["train/a.png", "test/b.png", *(f"{c}/c.png" for c in "vwxyz")],
        "the folder w, the folder x and 2 more",
    ),
    (["x/train/a.png", "x/test/b.png", "p.png"], "photos/x holds splits, and there are images outside of it"),
    (["cat/train/a.png", "cat/test/b.png", "dog/train/c.png", "dog/test/d.png"], "type data.root=photos/cat to take"),
    (["images/train/a.png", "images/val/b.png", "masks/train/a.png", "masks/val/b.png"], "data.root=photos/images"),
    (["train/a.png", "val/b.png", "valid/c.png"], "photos holds val and valid, which mean the same"),
    (["Train/a.png", "train/b.png", "test/c.png"], "photos holds Train and train, which mean the same"),
    (["trainA/a.png", "trainB/b.png", "testA/c.png", "testB/d.png"], "trainA and trainB, which mean the same"),
]


@pytest.mark.parametrize(("names", "part"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_splits_with_something_beside_them_are_refused(names, part):
    with pytest.raises(UsageError, match=part):
        layout(*names)
