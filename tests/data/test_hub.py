"""Data sets in the formats of the Hugging Face hub, written and read by its own library."""

import numpy as np
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
