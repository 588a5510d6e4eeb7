"""Decoded once: what is kept, when it is built again, and that nothing half-built is ever taken for whole."""

import errno
import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from photos import caches, folder, put_photos
from PIL import Image

from genlab.data import Folder
from genlab.data.arrays import ImageWriter, fingerprint
from genlab.data.sums import check_sums, sums
from genlab.errors import UsageError


@pytest.fixture
def photos(tmp_path) -> Path:
    return put_photos(tmp_path / "photos")


def test_the_arrays_hold_what_a_view_of_each_file_shows(photos):
    source = folder(photos)
    splits = source(16, 3)
    (cache,) = caches(photos)
    assert sum(len(split.labels) for split in splits.values()) == 60
    originals = [Image.open(path).crop((3, 0, 27, 24)) for path in photos.iterdir()]
    expected = {bytes(np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))) for image in originals}
    images = torch.cat([split.images[:] for split in splits.values()])
    assert {bytes(image.contiguous().numpy()) for image in images.permute(0, 2, 3, 1)} == expected
    assert np.load(cache / "train.npy").dtype == np.uint8


def test_the_manifest_says_what_is_in_it(photos):
    source = folder(photos)
    images = source(16, 3)["train"].images[:].double()
    (cache,) = caches(photos)
    manifest = json.loads((cache / "manifest.json").read_text())
    assert manifest["counts"].keys() == {"train", "val", "test"}
    assert manifest["mean"] == pytest.approx(images.mean((0, 2, 3)).tolist(), abs=0.001)
    assert manifest["std"] == pytest.approx(images.std((0, 2, 3), unbiased=False).tolist(), abs=0.001)
    assert manifest["rejected"] == {}
    assert manifest["made_from"]["view"]["size"] == 16


def test_the_second_use_decodes_nothing(photos, caplog):
    first = folder(photos)(16, 3)
    caplog.set_level(logging.INFO)
    again = folder(photos)(16, 3)
    assert "Decoding" not in caplog.text
    assert torch.equal(first["val"].images[:], again["val"].images[:])


@pytest.mark.parametrize(
    "options",
    [
        {"crop": "center"},
        {"crop": 20},
        {"fit": "contain"},
        {"filter": "lanczos"},
        {"background": "black"},
        {"val_share": 0.3},
    ],
    ids=str,
)
def test_another_view_or_split_is_another_cache(options, photos):
    folder(photos)(16, 3)
    folder(photos, **options)(16, 3)
    assert len(caches(photos)) == 2


def test_another_size_another_limit_and_another_number_of_channels_are_other_caches(photos):
    for arguments in ((16, 3), (17, 3), (16, 1), (16, 3, 5)):
        folder(photos)(*arguments)
    assert len(caches(photos)) == 4


def test_files_that_are_added_or_changed_are_another_cache(photos):
    folder(photos)(16, 3)
    shutil.copy(photos / "00.png", photos / "new.png")
    folder(photos)(16, 3)
    Image.new("RGB", (9, 9)).save(photos / "new.png")
    splits = folder(photos)(16, 3)
    assert len(caches(photos)) == 3
    assert any((image == 0).all() for split in splits.values() for image in split.images[:])


@pytest.mark.parametrize("empty", [False, True], ids=["no folder", "an empty one, as where a disk is not mounted"])
def test_what_was_prepared_is_found_when_its_files_are_gone(empty, photos, caplog):
    (photos / "a.heic").touch()
    before = folder(photos)(16, 3)["train"].images[:]
    shutil.rmtree(photos)
    if empty:
        photos.mkdir()
    caplog.set_level(logging.INFO)
    source = folder(photos)
    assert torch.equal(source(16, 3)["train"].images[:], before)
    assert "photos is taken as it was prepared earlier" in caplog.text
    assert source.manifest["left_out"] == {".heic": 1}
    for other in (lambda: folder(photos)(17, 3), lambda: folder(photos, val_share=0.3)(16, 3)):
        with pytest.raises(UsageError, match=r"does not exist|holds no files"):
            other()
    with pytest.raises(UsageError, match="does not exist"):
        folder(photos.parent / "other")(16, 3)


def test_of_several_that_were_prepared_the_newest_is_taken(photos):
    folder(photos)(16, 3)
    Image.new("RGB", (9, 9)).save(photos / "new.png")
    folder(photos)(16, 3)
    (older, newer) = sorted(caches(photos), key=lambda path: len(np.load(path / "train.npy")))
    os.utime(older / "manifest.json", (1, 1))
    shutil.rmtree(photos)
    assert len(folder(photos)(16, 3)["train"].images) == len(np.load(newer / "train.npy"))


def test_a_moved_folder_is_not_decoded_again(photos, caplog):
    folder(photos)(16, 3)
    (photos.parent / "elsewhere").mkdir()
    photos.rename(photos.parent / "elsewhere" / "photos")
    caplog.set_level(logging.INFO)
    Folder(str(photos.parent / "elsewhere" / "photos"), cache_dir=str(photos.parent / "prepared"))(16, 3)
    assert "Decoding" not in caplog.text


def test_equal_images_have_equal_fingerprints_wherever_they_are(photos):
    shutil.copytree(photos, photos.parent / "copy", copy_function=shutil.copyfile)  # with the time of now
    first, second = (folder(root)(16, 3) for root in (photos, photos.parent / "copy"))
    assert [fingerprint(first[name].images) for name in first] == [fingerprint(second[name].images) for name in second]
    assert fingerprint(first["val"].images) != fingerprint(folder(photos)(17, 3)["val"].images)


def test_a_limit_decodes_no_more_than_that_from_all_over(photos):
    source = folder(photos)
    splits = source(16, 3, limit=4)
    assert {name: len(split.labels) for name, split in splits.items()} == {"train": 4, "val": 4, "test": 4}
    whole = folder(photos)(16, 3)["train"].images[:]
    rows = [(whole == image).flatten(1).all(1).nonzero().item() for image in splits["train"].images[:]]
    assert rows == sorted(rows)
    assert rows != [0, 1, 2, 3]


@pytest.mark.parametrize(
    "damage",
    [
        *("truncated array", "no array", "empty labels", "missing labels", "no manifest", "another manifest"),
        *("no json", "a zeroed page", "another label", "one level of one pixel"),
    ],
)
def test_a_damaged_cache_is_built_again_and_that_is_said(damage, photos, caplog):
    before = folder(photos)(16, 3)["train"].images[:]
    (cache,) = caches(photos)
    manifest = cache / "manifest.json"
    if damage == "truncated array":
        os.truncate(cache / "train.npy", 5000)
    elif damage == "no array":
        os.truncate(cache / "train.npy", 0)
    elif damage == "empty labels":
        os.truncate(cache / "train_labels.npy", 0)
    elif damage == "missing labels":
        (cache / "val_labels.npy").unlink()
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "no json":
        manifest.write_text("{")
    elif damage == "a zeroed page":
        overwrite(cache / "train.npy", 8192, bytes(4096))
    elif damage == "another label":
        overwrite(cache / "val_labels.npy", -8, bytes([7]))
    elif damage == "one level of one pixel":
        overwrite(cache / "test.npy", -1, bytes([np.load(cache / "test.npy").flat[-1] ^ 1]))
    else:
        content = json.loads(manifest.read_text())
        content["made_from"]["view"]["crop"] = 12
        manifest.write_text(json.dumps(content))
    after = folder(photos)(16, 3)["train"].images[:]
    assert "is damaged" in caplog.text
    assert "built again" in caplog.text
    assert torch.equal(before, after)
    assert len(caches(photos)) == 1


def overwrite(path, place, content):
    """Change bytes of a file, from its end on if the place is negative."""
    with path.open("r+b") as file:
        file.seek(place, os.SEEK_SET if place >= 0 else os.SEEK_END)
        file.write(content)


def test_a_cache_of_an_earlier_version_has_no_sums_and_is_taken_as_it_is(photos, caplog):
    folder(photos)(16, 3)
    (cache,) = caches(photos)
    manifest = json.loads((cache / "manifest.json").read_text())
    del manifest["sums"]
    (cache / "manifest.json").write_text(json.dumps(manifest))
    caplog.set_level(logging.INFO)
    folder(photos)(16, 3)
    assert "Decoding" not in caplog.text
    assert "damaged" not in caplog.text


def test_an_error_of_the_disk_is_no_damage(photos, monkeypatch):
    folder(photos)(16, 3)
    (cache,) = caches(photos)

    def fails(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("genlab.data.cache.check_sums", fails)
    with pytest.raises(OSError, match="Input/output error"):
        folder(photos)(16, 3)
    assert caches(photos) == [cache]


def test_of_a_large_file_a_sample_is_looked_at_and_all_of_it_where_that_is_asked_for(tmp_path, monkeypatch):
    """Ten blocks of ten bytes and a rest of five, of which the last one is another."""
    monkeypatch.setattr("genlab.data.sums.BLOCK", 10)
    file = tmp_path / "some.npy"
    file.write_bytes(bytes(range(105)))
    expected = {file.name: sums(file)}
    assert len(expected[file.name]) == 8 * 11
    overwrite(file, -1, b"!")
    with pytest.raises(ValueError, match="MiB 11 of 11"):
        check_sums(tmp_path, expected, None)

    def found() -> bool:
        try:
            check_sums(tmp_path, expected, 5)
        except ValueError:
            return True
        return False

    assert {found() for _ in range(200)} == {True, False}


def test_worker_processes_decode_the_same_in_the_same_order(photos):
    alone = folder(photos, decode_workers=0)(16, 3)["train"].images[:]
    shutil.rmtree(photos.parent / "prepared")
    assert torch.equal(folder(photos, decode_workers=2)(16, 3)["train"].images[:], alone)


def test_unreadable_files_are_left_out_listed_and_said(photos, caplog):
    (photos / "00.png").write_bytes((photos / "00.png").read_bytes()[:300])
    (photos / "01.png").write_bytes(b"")
    source = folder(photos, max_rejects=0.05)
    splits = source(16, 3)
    assert sum(len(split.labels) for split in splits.values()) == 58
    assert source.manifest["rejected"].keys() == {"00.png", "01.png"}
    assert "truncated" in source.manifest["rejected"]["00.png"]
    assert "2 of the 60 files" in caplog.text
    assert "01.png" in caplog.text


def test_too_many_unreadable_files_stop_with_the_list_and_leave_nothing(photos):
    (photos / "07.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"1 of the 60 files of photos can't be read.*max_rejects.*07\.png"):
        folder(photos)(16, 3)
    assert caches(photos) == []


def test_a_cache_that_was_built_under_a_looser_limit_is_held_to_the_present_one(photos):
    (photos / "07.png").write_bytes(b"")
    folder(photos, max_rejects=0.1)(16, 3)
    with pytest.raises(UsageError, match=r"07\.png"):
        folder(photos)(16, 3)


def test_where_nothing_can_be_read_no_limit_helps(photos):
    for path in photos.iterdir():
        path.write_bytes(b"")
    with pytest.raises(UsageError, match=r"60 of the 60 files.*and 40 more, listed in the log"):
        folder(photos, max_rejects=1)(16, 3)


def test_a_disk_without_room_is_refused_before_anything_is_decoded(photos, monkeypatch):
    usage = shutil.disk_usage(photos)._replace(free=46_079)  # 60 images of 16 x 16 x 3 bytes take one more
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(ImageWriter, "append", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(UsageError, match=r"prepared can't be written \(No space.*photos needs 0\.0 MB.*paths.data_dir"):
        folder(photos)(16, 3)
    assert caches(photos) == []


def test_a_disk_that_fills_up_while_decoding_leaves_no_half_cache(photos, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ImageWriter, "append", full)
        with pytest.raises(UsageError, match=r"No space left on device.*choose another disk with paths\.data_dir"):
            folder(photos)(16, 3)
    assert caches(photos) == []
    assert len(folder(photos)(16, 3)["train"].labels) > 0


def test_a_folder_that_can_not_be_written_is_said(photos):
    with pytest.raises(UsageError, match=r"/proc/prepared can't be written \(.*\).* choose another .*paths\.data_dir"):
        Folder(str(photos), cache_dir="/proc/prepared")(16, 3)
