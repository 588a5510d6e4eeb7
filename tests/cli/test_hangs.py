"""What has once made a command hang: it ends with one sentence."""

import os
from pathlib import Path

import pytest
from photos import put_photos
from typed import assert_refused, type_in

FAST = ("debug=fast", "trainer=cpu", "data.limit=48", "data.batch_size=16", "callbacks.frechet.n_samples=16")
FOLDER = ("data=folder", "data.root=images", "data.size=16")
LONG = "x" * 300  # no file system takes such a name


def one_image(folder: Path) -> None:
    for path in sorted(put_photos(folder).iterdir())[1:]:
        path.unlink()


def only_broken_files(folder: Path) -> None:
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.png").write_bytes(b"no image")


def an_unreadable_folder(folder: Path) -> None:
    folder.mkdir(mode=0o000)


@pytest.mark.parametrize(
    ("prepare", "arguments", "parts"),
    [
        (Path.mkdir, ["data=cifar10"], ["cifar10 is not complete in", "can't be downloaded", "data.root=PATH"]),
        (one_image, FOLDER, ["images has no images for train and val: it takes 3 images at least"]),
        (only_broken_files, FOLDER, ["4 of the 4 files of images can't be read", "data.max_rejects", "0.png"]),
        (Path.mkdir, ["data=folder", f"data.root={LONG}"], [f"data.root={LONG} can't be read", "make it readable"]),
        pytest.param(
            *(an_unreadable_folder, FOLDER, ["data.root=images can't be read", "Permission denied"]),
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything"),
        ),
    ],
    ids=["no network", "one image", "broken files", "a path that can't be looked at", "unreadable folder"],
)
def test_data_that_can_not_be_had_is_said_at_once(prepare, arguments, parts, tmp_path):
    prepare(tmp_path / "images")
    no_network = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    result = type_in("train", *FAST, *arguments, cwd=tmp_path, seconds=60, **no_network)
    assert_refused(result, *parts)


def test_so_it_is_where_the_cache_of_the_images_is_damaged_too(tmp_path):
    put_photos(tmp_path / "images")
    prepared = type_in("prepare", *FOLDER, "data.limit=48", cwd=tmp_path)
    assert prepared.returncode == 0, prepared.stderr
    (cache,) = (folder for folder in (tmp_path / "data" / "prepared").iterdir() if folder.is_dir())
    (cache / "train.npy").write_bytes(b"")
    for path in (tmp_path / "images").iterdir():
        info = path.stat()
        path.write_bytes(bytes(info.st_size))  # of the same name, size and age, so that the same cache is asked for
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    result = type_in("train", *FAST, *FOLDER, cwd=tmp_path, seconds=60)
    assert_refused(result, "57 of the 57 files of images can't be read")
