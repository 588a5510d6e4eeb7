"""Image files as people have them: in nested folders, or in a .zip file, which is read where it is."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

from PIL import Image

from genlab.data.view import FORMATS
from genlab.errors import UsageError

GROWTH, HARMLESS = 100, 2**28  # times that an archive may unpack to, and bytes that every one may


class Files(NamedTuple):
    """Image files below a root, in the order of their names.

    Args:
        root: a folder or a .zip file.
        names: paths from the root, with "/".
        versions: a text for each file that changes when the file does.
        left_out: how many other files there are, by their extension, the most frequent first.
    """

    root: Path
    names: list[str]
    versions: list[str]
    left_out: dict[str, int]

    def source(self, row: int) -> Path | bytes:
        """What a `View` can open: a path, or the bytes of a member of the archive."""
        if self.root.is_dir():
            return self.root / self.names[row]
        return _archive(self.root, os.getpid()).read(self.names[row])


@dataclass(frozen=True)
class Labelled:
    """The items of `RawImages`: files with a label each."""

    files: Files
    labels: Any  # by row

    def __getitem__(self, row: int) -> tuple[Path | bytes, Any]:
        return self.files.source(row), self.labels[row]


def find_files(root: Path, key: str = "data.root") -> Files:
    """List the image files below a folder, or in a .zip file, at any depth.

    Links are followed; hidden files and folders are left out, and files that are no images by their extension.

    Args:
        root: the folder or the file.
        key: of the configuration, for messages.

    Raises:
        UsageError: if there is no such folder or nothing in it that can be used, or if the archive is damaged or has
            members outside of itself, or links.
    """
    try:
        if not root.exists():
            raise UsageError(f"{key}={root} does not exist: type the folder in which the images are.")
        if not root.is_dir() and root.suffix.lower() != ".zip":
            raise UsageError(f"{key}={root} is a file: type the folder in which the images are, or a .zip file.")
        found = sorted(_in_folder(root) if root.is_dir() else _in_zip(root))
    except (OSError, BadZipFile) as error:
        raise UsageError(
            f"{key}={root} can't be read ({error}): make it readable, or type another folder or .zip file."
        ) from error
    extensions = image_extensions()
    kinds = [PurePosixPath(name).suffix.lower() for name, _ in found]
    images = [file for file, kind in zip(found, kinds, strict=True) if kind in extensions]
    others = Counter(kind or "(none)" for kind in kinds if kind not in extensions)
    if not images:
        content = f"{len(found)} files of type {', '.join(sorted(others))} and no image" if found else "no files"
        raise UsageError(f"{key}={root} holds {content}: images are files of type {', '.join(sorted(extensions))}.")
    versions = [f"{name} {version}" for name, version in images]
    return Files(root, [name for name, _ in images], versions, dict(others.most_common()))


def is_gone(root: Path) -> bool:
    """Whether nothing is left at a path, as where a disk is not mounted."""
    try:
        return not root.exists() or (root.is_dir() and not any(root.iterdir()))
    except OSError:
        return False  # who reads it will say why it can't be read


def versions(root: Path, files: Iterable[Path]) -> list[str]:
    """A text for each file that changes when the file does: its way from the root, size, and time of change."""
    found = ((file.relative_to(root), file.stat()) for file in sorted(files) if file.is_file())
    return [f"{name} {info.st_size} {info.st_mtime_ns}" for name, info in found]


@cache
def image_extensions() -> frozenset[str]:
    """Extensions of the formats that are read."""
    return frozenset(extension for extension, form in Image.registered_extensions().items() if form in FORMATS)


def _in_folder(root: Path) -> Iterator[tuple[str, str]]:
    """Names below the root with size and time of change; a link that leads nowhere counts as a file without them."""
    folders: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while folders:
        folder, ancestors = folders.pop()
        info = (root / folder).stat()
        here = (info.st_dev, info.st_ino)
        if here in ancestors:
            continue  # a link that leads back
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                if entry.name.startswith((".", "__MACOSX")):
                    continue
                try:
                    info = entry.stat()
                except OSError:
                    yield name, "unreadable"
                    continue
                if stat.S_ISDIR(info.st_mode):
                    folders.append((f"{name}/", ancestors | {here}))
                elif stat.S_ISREG(info.st_mode):
                    yield name, f"{info.st_size} {info.st_mtime_ns}"


def _in_zip(path: Path) -> Iterator[tuple[str, str]]:
    members = _archive(path, os.getpid()).infolist()
    total, size = sum(member.file_size for member in members), path.stat().st_size
    if total > max(HARMLESS, GROWTH * size):
        raise UsageError(
            f"{path} of {size / 1e6:,.1f} MB would unpack to {total / 1e6:,.0f} MB, as no archive of pictures does: it "
            "is refused. Unpack it into a folder, if it is yours."
        )
    for member in members:
        way = PurePosixPath(member.filename.replace("\\", "/"))
        if way.is_absolute() or ".." in way.parts or (way.parts[:1] and way.parts[0].endswith(":")):
            raise UsageError(f"{path} holds {member.filename!r}, a path that leads out of the archive: it is refused.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UsageError(
                f"{path} holds {member.filename!r}, a link, which may lead out of the archive: it is refused."
            )
        if not member.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in way.parts):
            yield member.filename, f"{member.file_size} {member.CRC}"


@cache
def _archive(path: Path, process: int) -> ZipFile:
    """One open archive a process: processes that share one would move each other's position in the file."""
    return ZipFile(path)
