"""A person's own images: what is found, what is left out, and which split it goes to."""

import os
import stat
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
import pytest
from layouts import photographs
from PIL import Image

from genlab.data import Folder
from genlab.data.files import find_files
from genlab.data.folder import split_rows
from genlab.errors import UsageError

PICTURE = Image.fromarray(photographs(1, 20, 20)[0])


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        PICTURE.save(root / name)
    return root


def source(root: Path, **options) -> Folder:
    return Folder(str(root), cache_dir=str(root.parent / "prepared"), **options)


def test_images_are_found_at_any_depth_whatever_their_names(tmp_path):
    names = ["a.JPG", "b c/d é 日本.png", "e/f/g/h.webp", "i.bmp", "j.tiff", "k.gif", "l.jpeg"]
    assert find_files(put(tmp_path, *names)).names == sorted(names)


def test_hidden_files_and_other_files_are_left_out(tmp_path):
    put(tmp_path, "a.png", ".hidden.png", ".thumbnails/b.png", "__MACOSX/c.png")
    for name in ("notes.txt", "Thumbs.db", "film.mp4"):
        (tmp_path / name).touch()
    assert find_files(tmp_path).names == ["a.png"]


def test_links_are_followed_and_those_that_lead_back_end(tmp_path):
    put(tmp_path / "elsewhere", "a.png", "deep/b.png")
    root = put(tmp_path / "root", "c.png")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "d.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    (root / "loop").symlink_to(root)
    (root / "sub").mkdir()
    (root / "sub" / "up").symlink_to(root)
    (root / "again").symlink_to(tmp_path / "elsewhere" / "deep")
    found = ["again/b.png", "c.png", "d.png", "linked/a.png", "linked/deep/b.png"]
    assert find_files(root).names == found


def test_a_link_that_leads_nowhere_is_listed_as_rejected(tmp_path):
    root = put(tmp_path / "root", *(f"{number}.png" for number in range(9)))
    (root / "gone.png").symlink_to(tmp_path / "nowhere.png")
    files = source(root, max_rejects=0.2)
    files(20, 3)
    assert list(files.manifest["rejected"]) == ["gone.png"]
    assert "FileNotFoundError" in files.manifest["rejected"]["gone.png"]


def test_the_class_of_an_image_is_its_first_folder(tmp_path):
    root = put(tmp_path / "root", *(f"{name}/{n}.png" for name in ("dog", "cat/young", "cat/old") for n in range(20)))
    folder = source(root)
    splits = folder(20, 3)
    assert folder.manifest["label_names"] == ["cat", "dog"]
    counts = sum(np.bincount(split.labels, minlength=2) for split in splits.values())
    assert counts.tolist() == [40, 20]


def test_folders_named_after_splits_are_the_splits_and_no_classes(tmp_path):
    parts = {"train": 4, "Validation": 3, "test": 2}
    root = put(
        tmp_path / "root",
        *(f"{part}/{label}/{n}.png" for part, count in parts.items() for label in "ab" for n in range(count)),
    )
    folder = source(root)
    splits = folder(20, 3)
    assert {name: len(split.labels) for name, split in splits.items()} == {"train": 8, "val": 6, "test": 4}
    assert folder.manifest["label_names"] == ["a", "b"]


def test_without_a_folder_for_a_split_it_is_taken_out_of_the_training_images(tmp_path):
    root = put(tmp_path / "root", *(f"{part}/{n}.png" for part in ("train", "test") for n in range(30)))
    counts = {name: len(split.labels) for name, split in source(root)(20, 3).items()}
    assert counts["test"] == 30
    assert counts["train"] + counts["val"] == 30
    assert counts["val"] > 0


def test_a_class_that_is_called_train_is_a_class(tmp_path):
    root = put(tmp_path / "root", *(f"{name}/{n}.png" for name in ("train", "bus") for n in range(5)))
    folder = source(root)
    folder(20, 3)
    assert folder.manifest["label_names"] == ["bus", "train"]


def test_shares_are_kept_and_an_image_stays_in_its_split_when_others_are_added():
    names = [f"photo {number}.jpg" for number in range(5000)]
    few, many = (split_rows(part, [None] * len(part), 0.1, 0.2) for part in (names[:3000], names))
    for name, part in (("val", 0.1), ("test", 0.2)):
        assert len(many[name]) == pytest.approx(5000 * part, rel=0.1)
        assert set(few[name]) <= set(many[name])
    assert sorted(np.concatenate(list(many.values()))) == list(range(5000))


def test_a_name_is_the_same_however_its_accents_are_composed():
    composed = [f"é{number}.jpg" for number in range(99)]
    apart = [f"e\u0301{number}.jpg" for number in range(99)]
    first, second = (split_rows(names, [None] * 99, 0.3, 0.3) for names in (composed, apart))
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("n", [3, 4, 10])
def test_a_few_images_still_fill_every_split(n):
    rows = split_rows([f"{number}.png" for number in range(n)], [None] * n, 0.1, 0.1)
    assert all(len(part) >= 1 for part in rows.values())
    assert sum(map(len, rows.values())) == n


def test_without_a_share_for_validation_the_test_images_validate():
    rows = split_rows([f"{number}.png" for number in range(50)], [None] * 50, 0, 0.2)
    assert (rows["val"] == rows["test"]).all()
    assert len(rows["train"]) + len(rows["test"]) == 50


def test_an_archive_is_read_where_it_is_and_shows_the_same(tmp_path):
    root = put(tmp_path / "root", *(f"{label}/{n}.png" for label in ("a b", "é") for n in range(10)))
    with ZipFile(tmp_path / "root.zip", "w") as archive:
        for path in sorted(root.rglob("*.png")):
            archive.write(path, path.relative_to(root))
    unpacked, packed = (source(path)(20, 3) for path in (root, tmp_path / "root.zip"))
    for name in unpacked:
        assert (unpacked[name].images[:] == packed[name].images[:]).all()
        assert (unpacked[name].labels == packed[name].labels).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prepared", "root", "root.zip"]


def test_of_an_archive_nothing_is_unpacked_and_no_link_is_followed(tmp_path):
    link = ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o644) << 16
    (tmp_path / "a").mkdir()
    PICTURE.save(tmp_path / "secret.png")
    with ZipFile(tmp_path / "a" / "a.zip", "w") as archive:
        for number in range(40):
            archive.write(tmp_path / "secret.png", f"{number}.png")
        archive.write(tmp_path / "secret.png", "../evil.png")
        archive.writestr(link, b"../secret.png")
    pictures = source(tmp_path / "a" / "a.zip", max_rejects=0.2)
    pictures(20, 3)
    assert list(pictures.manifest["rejected"]) == ["link.png"]
    assert sum(pictures.manifest["counts"].values()) == 40
    assert not list(tmp_path.rglob("evil.png"))


def test_a_file_of_an_archive_that_would_fill_the_memory_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("genlab.data.files.LARGEST", 50_000)
    PICTURE.save(tmp_path / "a.png")
    (tmp_path / "a").mkdir()
    with ZipFile(tmp_path / "a" / "a.zip", "w") as archive:
        for number in range(40):
            archive.write(tmp_path / "a.png", f"{number}.png")
        archive.writestr("large.png", (tmp_path / "a.png").read_bytes() + bytes(100_000))
    pictures = source(tmp_path / "a" / "a.zip", max_rejects=0.2)
    pictures(20, 3)
    assert "would unpack to 0 MB" in pictures.manifest["rejected"]["large.png"]


def test_what_holds_no_images_is_refused_with_what_there_is(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    (tmp_path / "file.png").touch()
    (tmp_path / "broken.zip").write_bytes(b"PK nonsense")
    for name, part in {
        "nowhere": "nowhere does not exist",
        "empty": "holds no files",
        "texts": r"1 files of type \.txt and no image: images are files of type .*\.jpg",
        "file.png": r"file\.png is a file: type the folder",
        "broken.zip": "can't be read",
    }.items():
        with pytest.raises(UsageError, match=part):
            find_files(tmp_path / name)


def test_two_images_are_too_few(tmp_path):
    with pytest.raises(UsageError, match="root has no images for train: it takes 3 images"):
        source(put(tmp_path / "root", "a.png", "b.png"))(20, 3)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_no_unicode_is_found_and_read(tmp_path):
    root = put(tmp_path / "root", *(f"{number}.png" for number in range(5)))
    odd = os.fsdecode(b"caf\xe9.png")
    PICTURE.save(root / odd)
    assert sum(len(split.labels) for split in source(root)(20, 3).values()) == 6
