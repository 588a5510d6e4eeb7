"""A small folder of photographs, and the caches that are made of it."""

from pathlib import Path

from layouts import photographs
from PIL import Image

from genlab.data import Folder


def put_photos(root: Path) -> Path:
    """Write 60 photographs, two thirds as high as wide."""
    root.mkdir()
    for number, image in enumerate(photographs(60, 24, 30)):
        Image.fromarray(image).save(root / f"{number:02d}.png")
    return root


def folder(photos: Path, **options) -> Folder:
    """The source of a folder, its cache beside it."""
    return Folder(str(photos), cache_dir=str(photos.parent / "prepared"), **options)


def caches(photos: Path) -> list[Path]:
    """The caches beside a folder."""
    return sorted(path for path in (photos.parent / "prepared").iterdir() if path.is_dir())
