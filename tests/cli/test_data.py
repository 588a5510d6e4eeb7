"""Folders and tables of images as people have them, and what comes back when they are typed."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from layouts import celeba_in, photographs
from PIL import Image
from typed import assert_refused, type_in

PICTURES = [Image.fromarray(image) for image in photographs(40, 20, 20)]
SPLITS = [f"{split}/{label}/{n}.png" for split in ("train", "val", "test") for label in "ab" for n in range(3)]


def put(root: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        PICTURES[number % 40].save(root / name)


def prepared(cwd: Path, *typed: str) -> str:
    """What `prepare.py data=folder` says of the folder `photos`."""
    result = type_in("prepare", "data=folder", "data.size=16", "data.root=photos", "output=a.png", *typed, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return result.stdout


def manifest(cwd: Path) -> dict:
    (file,) = cwd.glob("data/prepared/*/manifest.json")
    return json.loads(file.read_text())


REFUSED = {
    "a picture beside the splits": ([*SPLITS, "preview.png"], "photos holds train, val and test, and beside them prev"),
    "a folder beside the splits": ([*SPLITS, "extra/1.png"], "and beside them the folder extra: put that into one of"),
    "splits in each class": ([f"{c}/{s}/1.png" for c in "ab" for s in ("train", "test")], "type data.root=photos/a to"),
    "val and valid": ([*SPLITS, "valid/a/1.png"], "photos holds val and valid, which mean the same: make one folder"),
}


@pytest.mark.parametrize(("names", "part"), REFUSED.values(), ids=REFUSED)
def test_splits_with_something_beside_them_are_refused(names, part, tmp_path):
    put(tmp_path / "photos", *names)
    for name in ("README.txt", "labels.csv", ".DS_Store"):
        (tmp_path / "photos" / name).touch()
    typed = ("data=folder", "data.size=16", "data.root=photos")
    assert_refused(type_in("prepare", *typed, cwd=tmp_path), part)
    assert not list(tmp_path.glob("data/prepared/*/"))


def test_a_run_trains_on_no_test_image_of_an_archive_that_somebody_has_wrapped(tmp_path):
    put(tmp_path / "faces", *SPLITS)
    (tmp_path / "faces" / "README.txt").touch()
    shutil.make_archive(str(tmp_path / "wrapped"), "zip", tmp_path, "faces")
    few = ("data.size=16", "data.batch_size=4", "trainer=cpu", "trainer.max_steps=1", "callbacks=none")
    result = type_in("train", "data=folder", "data.root=wrapped.zip", *few, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("wrapped: 2 classes: a and b") == 1
    assert "wrapped: its splits are the folders train, val and test" in result.stdout
    assert "wrapped: 1 file is left out: 1 .txt." in result.stdout
    assert manifest(tmp_path)["counts"] == {"train": 6, "val": 6, "test": 6}


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (["00000", "01000", "02000"], "photos: no classes (the folders 00000 to 02000 are numbered parts)"),
        (["0", "1", "2"], "photos: 3 classes: 0, 1 and 2"),
        (["test", "bus"], "photos: 2 classes: bus and test"),
    ],
)
def test_it_is_said_which_folders_are_classes(folders, said, tmp_path):
    put(tmp_path / "photos", *(f"{folder}/{n}.png" for folder in folders for n in range(4)))
    assert said in prepared(tmp_path)


def test_files_that_are_left_out_are_counted_by_their_kinds(tmp_path):
    put(tmp_path / "photos", *(f"{n}.jpg" for n in range(24)))
    for name in (*(f"{n}.heic" for n in range(200)), *(f"{n}.AVIF" for n in range(9))):
        (tmp_path / "photos" / name).touch()
    said = prepared(tmp_path)
    assert "photos: 209 files are left out: 200 .heic and 9 .avif." in said
    assert manifest(tmp_path)["left_out"] == {".heic": 200, ".avif": 9}


def test_one_large_image_among_small_ones_is_let_in_by_a_key(tmp_path):
    put(tmp_path / "photos", *(f"{n}.jpg" for n in range(9)))
    Image.new("L", (12_000, 9_000), 128).save(tmp_path / "photos" / "large.jpg")
    refused = type_in("prepare", "data=folder", "data.size=16", "data.root=photos", cwd=tmp_path)
    assert_refused(
        refused, "1 of the 10 files", "large.jpg (12000 x 9000 pixels", "data.max_pixels=108000000 lets it in"
    )
    prepared(tmp_path, "data.max_pixels=108000000")
    assert sum(manifest(tmp_path)["counts"].values()) == 10


def test_twelve_bits_in_sixteen_are_said_and_shown_by_a_key(tmp_path):
    put(tmp_path / "photos", "8bit.png")
    for number, picture in enumerate(PICTURES[:9]):
        levels = np.asarray(picture.convert("L")).astype(np.uint16) * 16
        Image.fromarray(levels).save(tmp_path / "photos" / f"{number}.png")
    said = prepared(tmp_path)
    assert "9 of 10 images are nearly black: if they are of 12 bits in files of 16, type data.white_level=4095" in said
    assert manifest(tmp_path)["mean"][0] < 40
    shutil.rmtree(tmp_path / "data")
    assert "nearly black" not in prepared(tmp_path, "data.white_level=4095")
    assert manifest(tmp_path)["mean"][0] > 100


def test_faces_of_another_root_are_other_faces(tmp_path):
    sheets = []
    for root, level in (("one", 20), ("two", 220)):
        celeba_in(tmp_path / root)
        for path in (tmp_path / root / "img_align_celeba").iterdir():
            Image.new("RGB", (178, 218), (level,) * 3).save(path)
        here = ("data=celeba", "data.size=16", f"data.root={root}", f"output={root}.png")
        assert type_in("prepare", *here, cwd=tmp_path).returncode == 0
        sheets.append(np.asarray(Image.open(tmp_path / f"{root}.png"))[20:24, 20:24])
    assert np.abs(sheets[0].astype(int) - sheets[1]).min() > 100


def encoded(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A parquet file as pandas writes it, with images as it has them from the hub, and with odd columns."""
    path = tmp_path_factory.mktemp("table") / "pets.parquet"
    columns = {
        "picture": [{"bytes": encoded(picture), "path": f"{n}.png"} for n, picture in enumerate(PICTURES)],
        "kind": ["dog", "cat", None, "cat"] * 10,
        "caption": [f"picture {n}" for n in range(40)],
        "score": [0.5, 1.0] * 20,
    }
    pd.DataFrame(columns).to_parquet(path)
    return path


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("kind", "pets: 2 classes: cat and dog; 10 images have none"),
        ("none", "pets: no classes"),
        (
            "score",
            "numbers that are not whole, such as 0.5, which can't be labels. Columns: picture, kind,",
        ),
        ("picture", "data.label_column=picture holds images or nested values"),
    ],
)
def test_a_column_of_a_table_is_taken_as_labels_or_refused_with_those_that_can_be(typed, said, table, tmp_path):
    here = ("data=huggingface", "data.size=16", f"data.path={table}", f"data.label_column={typed}")
    result = type_in("prepare", *here, cwd=tmp_path, HF_HOME=str(tmp_path / "hub"))
    if result.returncode:
        assert_refused(result, said)
    else:
        assert said in result.stdout
    assert result.returncode == (typed not in ("kind", "none"))
