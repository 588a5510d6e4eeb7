"""Data sets in the formats of the Hugging Face hub, written and read by its own library."""

import logging
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import torch
from layouts import photographs
from PIL import Image

from genlab.data import HuggingFace
from genlab.errors import UsageError

datasets = pytest.importorskip("datasets")

PIXELS = photographs(60, 20, 20)


@pytest.fixture(autouse=True)
def hub_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")


def table(rows=range(60), **columns):
    """A data set of photographs with further columns."""
    features = {"photo": datasets.Image()}
    content = {"photo": [Image.fromarray(PIXELS[row]) for row in rows]}
    for name, (kind, values) in columns.items():
        features[name], content[name] = kind, [values[row] for row in rows]
    return datasets.Dataset.from_dict(content, features=datasets.Features(features))


KINDS = {"kind": (datasets.ClassLabel(names=["cat", "dog"]), [row % 2 for row in range(60)])}


def source(path, tmp_path, **options) -> HuggingFace:
    return HuggingFace(str(path), cache_dir=str(tmp_path / "prepared"), **options)


def test_a_parquet_file_is_read_with_its_classes(tmp_path):
    table(**KINDS).to_parquet(tmp_path / "pets.parquet")
    pets = source(tmp_path / "pets.parquet", tmp_path)
    splits = pets(20, 3)
    assert {name: len(split.labels) for name, split in splits.items()} == {"train": 49, "val": 5, "test": 6}
    assert pets.manifest["label_names"] == ["cat", "dog"]
    row = {image.tobytes(): number for number, image in enumerate(PIXELS)}
    for split in splits.values():
        for image, label in zip(split.images[:], split.labels, strict=True):
            assert row[image.permute(1, 2, 0).contiguous().numpy().tobytes()] % 2 == label
    assert len({image.numpy().tobytes() for split in splits.values() for image in split.images[:]}) == 60


@pytest.mark.parametrize("names", [("train", "validation", "test"), ("train", "valid", "test")])
def test_a_saved_data_set_keeps_its_splits(names, tmp_path):
    parts = dict(zip(names, (range(30), range(30, 40), range(40, 60)), strict=True))
    saved = datasets.DatasetDict({name: table(rows, **KINDS) for name, rows in parts.items()})
    saved.save_to_disk(tmp_path / "saved")
    splits = source(tmp_path / "saved", tmp_path)(20, 3)
    assert {name: len(split.labels) for name, split in splits.items()} == {"train": 30, "val": 10, "test": 20}
    assert (splits["test"].images[:].permute(0, 2, 3, 1).numpy() == PIXELS[40:]).all()


def test_a_folder_of_parquet_files_is_read_as_from_the_hub(tmp_path):
    (tmp_path / "repository" / "data").mkdir(parents=True)
    for name, rows in (("train", range(40)), ("test", range(40, 60))):
        table(rows).to_parquet(tmp_path / "repository" / "data" / f"{name}-00000-of-00001.parquet")
    splits = source(tmp_path / "repository", tmp_path)(20, 3)
    assert {name: len(split.labels) for name, split in splits.items()} == {"train": 36, "val": 4, "test": 20}


def test_truth_values_are_a_vector_of_labels_where_there_are_no_classes(tmp_path):
    truths = np.random.default_rng(0).random((60, 2)) < 0.5
    columns = {name: (datasets.Value("bool"), truths[:, i].tolist()) for i, name in enumerate(("Male", "Smiling"))}
    table(**columns).save_to_disk(tmp_path / "faces")
    faces = source(tmp_path / "faces", tmp_path, val_share=0.5, test_share=0.1)
    labels = torch.cat([split.labels for split in faces(20, 3).values()])
    assert labels.shape == (60, 2)
    assert labels.sum(0).tolist() == truths.sum(0).tolist()
    assert faces.manifest["label_names"] == ["Male", "Smiling"]


def test_without_a_share_for_validation_the_test_images_validate(tmp_path):
    table().save_to_disk(tmp_path / "saved")
    splits = source(tmp_path / "saved", tmp_path, val_share=0)(20, 3)
    assert {name: len(split.labels) for name, split in splits.items()} == {"train": 54, "val": 6, "test": 6}
    with pytest.raises(UsageError, match=r"saved has no images for val and test.*data\.test_share"):
        source(tmp_path / "saved", tmp_path, val_share=0, test_share=0)(20, 3)


def test_columns_can_be_chosen(tmp_path):
    numbers = {"number": (datasets.Value("int32"), list(range(60)))}
    table(**KINDS, **numbers).save_to_disk(tmp_path / "saved")
    splits = source(tmp_path / "saved", tmp_path, label_column="number", image_column="photo")(20, 3)
    assert sorted(torch.cat([split.labels for split in splits.values()]).tolist()) == list(range(60))


def png(pixels: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


GREY = PIXELS.mean(3).astype(np.uint8)
COLUMNS = {
    "bytes and paths": lambda _: [{"bytes": png(pixels), "path": f"{n}.png"} for n, pixels in enumerate(PIXELS)],
    "bytes": lambda _: [png(pixels) for pixels in PIXELS],
    "paths beside the table": lambda folder: [f"images/{n}.png" for n in range(60)],
    "whole paths": lambda folder: [str(folder / "images" / f"{n}.png") for n in range(60)],
    "arrays": lambda _: [pixels.tolist() for pixels in PIXELS],
    "arrays, colours first": lambda _: [pixels.transpose(2, 0, 1).tolist() for pixels in PIXELS],
    "grey arrays": lambda _: [pixels.tolist() for pixels in GREY],
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_images_are_found_in_whatever_a_table_keeps_them(kind, tmp_path):
    (tmp_path / "images").mkdir()
    for n, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(tmp_path / "images" / f"{n}.png")
    columns = {
        "caption": [f"picture {n}" for n in range(60)],
        "box": [[[1, 2], [3, 4]]] * 60,
        "photo": COLUMNS[kind](tmp_path),
    }
    pd.DataFrame(columns).to_parquet(tmp_path / "photos.parquet")
    splits = source(tmp_path / "photos.parquet", tmp_path)(20, 3)
    shown = {
        image.permute(1, 2, 0).contiguous().numpy().tobytes() for part in splits.values() for image in part.images[:]
    }
    expected = GREY[..., None].repeat(3, 3) if kind == "grey arrays" else PIXELS
    assert shown == {pixels.tobytes() for pixels in expected}


def test_rows_without_an_image_are_rejected_and_counted(tmp_path):
    images = [{"bytes": png(pixels), "path": None} for pixels in PIXELS]
    images[3], images[5], images[7] = None, {"bytes": None, "path": None}, {"bytes": b"", "path": None}
    pd.DataFrame({"photo": images}).to_parquet(tmp_path / "photos.parquet")
    with pytest.raises(UsageError, match=r"3 of the 60 files of photos .*image 3 \(there is no image\)"):
        source(tmp_path / "photos.parquet", tmp_path)(20, 3)
    splits = source(tmp_path / "photos.parquet", tmp_path, max_rejects=0.1)(20, 3)
    assert sum(len(split.images) for split in splits.values()) == 57


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("photo", [None] * 60),
        ("caption", ["a.png"] * 60),
        ("numbers", [list(range(400))] * 60),
        ("box", [[[1, 2]]] * 60),
    ],
)
def test_a_table_without_a_column_of_images_is_refused(column, values, tmp_path):
    pd.DataFrame({column: values * 60}).to_parquet(tmp_path / "photos.parquet")
    with pytest.raises(UsageError, match=rf"No column holds images.*data\.image_column=NAME\. Valid: {column}\."):
        source(tmp_path / "photos.parquet", tmp_path)(20, 3)
    with pytest.raises(UsageError, match=r"3600 of the 3600 files of photos can't be read.*image 0 \("):
        source(tmp_path / "photos.parquet", tmp_path, image_column=column)(20, 3)


def labelled(tmp_path, kind, values, **options):
    table(label=(kind, values)).save_to_disk(tmp_path / "saved")
    pets = source(tmp_path / "saved", tmp_path, **options)
    splits = pets(20, 3)
    return pets.manifest, torch.cat([split.labels for split in splits.values()])


@pytest.mark.parametrize("typed", ["label", None])
def test_texts_become_numbered_classes(typed, tmp_path):
    manifest, labels = labelled(tmp_path, datasets.Value("string"), ["dog", "cat", "dog"] * 20, label_column=typed)
    assert manifest["label_names"] == ["cat", "dog"]
    assert labels.bincount().tolist() == [20, 40]


@pytest.mark.parametrize("typed", ["label", None])
def test_a_class_that_is_not_known_is_minus_one(typed, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    kind = datasets.ClassLabel(names=["cat", "dog"])
    _, labels = labelled(tmp_path, kind, [0, 1, None] * 20, label_column=typed)
    assert (labels + 1).bincount().tolist() == [20, 20, 20]
    assert "saved: 2 classes: cat and dog; 20 images have none" in caplog.text


def test_labels_can_be_left_aside(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    _, labels = labelled(tmp_path, *KINDS["kind"], label_column="none")
    assert labels.tolist() == [-1] * 60
    assert "saved: no classes" in caplog.text


def test_a_column_that_looks_like_labels_and_is_none_is_left_aside_and_said(tmp_path, caplog):
    _, labels = labelled(tmp_path, datasets.Value("float32"), [0.25] * 60)
    assert labels.tolist() == [-1] * 60
    assert "No labels are taken: the column label holds numbers that are not whole, such as 0.25." in caplog.text


def test_what_can_not_be_labels_is_refused_with_the_columns_that_can(tmp_path):
    scores = {"score": (datasets.Value("float32"), [0.25] * 60), "sure": (datasets.Value("bool"), [True, None] * 30)}
    table(**KINDS, **scores).save_to_disk(tmp_path / "saved")
    for column, what in (("score", "not whole, such as 0.25"), ("photo", "images")):
        with pytest.raises(
            UsageError, match=rf"label_column={column} holds .*{what}.*Columns: photo, kind, score, sure; data"
        ):
            source(tmp_path / "saved", tmp_path, label_column=column)(20, 3)


def test_a_split_without_the_column_is_unlabelled(tmp_path):
    parts = {"train": table(range(40), **KINDS), "test": table(range(40, 60))}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    splits = source(tmp_path / "saved", tmp_path)(20, 3)
    assert splits["train"].labels.min() == 0
    assert splits["test"].labels.tolist() == [-1] * 20


def test_splits_with_other_classes_are_refused(tmp_path):
    other = {"kind": (datasets.ClassLabel(names=["dog", "cat"]), [1 - row % 2 for row in range(60)])}
    parts = {"train": table(range(40), **KINDS), "test": table(range(40, 60), **other)}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    with pytest.raises(UsageError, match=r"can't be loaded: The features can't be aligned because the key kind"):
        source(tmp_path / "saved", tmp_path)(20, 3)


def test_a_table_that_has_changed_is_read_again_and_one_that_is_gone_is_still_known(tmp_path):
    file = tmp_path / "pets.parquet"
    table(range(40)).to_parquet(file)
    assert sum(len(split.images) for split in source(file, tmp_path)(20, 3).values()) == 40
    table().to_parquet(file)
    assert sum(len(split.images) for split in source(file, tmp_path)(20, 3).values()) == 60
    file.unlink()
    assert sum(len(split.images) for split in source(file, tmp_path)(20, 3).values()) == 60
    with pytest.raises(UsageError, match="does not exist"):
        source(file, tmp_path)(21, 3)


@pytest.mark.parametrize("option", ["image_column", "label_column"])
def test_an_unknown_column_is_refused_with_those_that_there_are(option, tmp_path):
    table(**KINDS).save_to_disk(tmp_path / "saved")
    with pytest.raises(UsageError, match=rf"no data\.{option} 'phot'.*Valid: kind, photo"):
        source(tmp_path / "saved", tmp_path, **{option: "phot"})(20, 3)


def test_a_data_set_without_images_is_refused(tmp_path):
    datasets.Dataset.from_dict({"text": ["a"] * 9}).save_to_disk(tmp_path / "texts")
    with pytest.raises(UsageError, match=r"data\.image_column.*Valid: text"):
        source(tmp_path / "texts", tmp_path)(20, 3)


@pytest.mark.parametrize("path", ["./nowhere", "nothing.parquet"])
def test_a_path_that_leads_nowhere_is_refused_without_asking_the_hub(path, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        source(path, tmp_path)(20, 3)


def test_a_name_that_the_hub_can_not_give_is_refused_in_one_sentence(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise ConnectionError("Couldn't reach\nthe Hub")

    monkeypatch.setattr(datasets, "load_dataset", no_network)
    with pytest.raises(UsageError, match=r"data\.path=some/photos can't be loaded: Couldn't reach the Hub"):
        source("some/photos", tmp_path)(20, 3)


def test_without_the_library_the_error_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r"pip install -e '\.\[huggingface\]'"):
        source("some/photos", tmp_path)(20, 3)


def test_what_was_prepared_needs_the_library_no_more(tmp_path, monkeypatch):
    table(**KINDS).to_parquet(tmp_path / "pets.parquet")
    before = source(tmp_path / "pets.parquet", tmp_path)(20, 3)["train"].images[:]
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    assert torch.equal(source(tmp_path / "pets.parquet", tmp_path)(20, 3)["train"].images[:], before)
