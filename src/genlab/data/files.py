"""Image files as people have them: in nested folders, or in a .zip file, which is read where it is."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from PIL import Image

from genlab.data.view import FORMATS
from genlab.errors import UsageError

HIDDEN = (".", "__MACOSX")
LARGEST = 2**28  # bytes of a file in an archive, which is read whole


@dataclass(frozen=True)
class Files:
    """Image files below a root, in the order of their names. An index gives what a `View` can open.

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

    def __getitem__(self, row: int) -> Path | bytes:
        if self.root.is_dir():
            return self.root / self.names[row]
        archive, name = _archive(self.root, os.getpid()), self.names[row]
        if (n_bytes := archive.getinfo(name).file_size) > LARGEST:
            raise ValueError(f"it would unpack to {n_bytes / 1e6:,.0f} MB")
        return archive.read(name)


def find_files(root: Path, key: str = "data.root") -> Files:
    """List the image files below a folder, or in a .zip file, at any depth.

    Links are followed; hidden files and folders are left out, and files that are no images by their extension.

    Raises:
        UsageError: if there is nothing that can be read; it names the `key` of the configuration.
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
    extensions = {extension for extension, form in Image.registered_extensions().items() if form in FORMATS}
    kinds = [PurePosixPath(name).suffix.lower() for name, _ in found]
    images = [file for file, kind in zip(found, kinds, strict=True) if kind in extensions]
    others = Counter(kind or "(none)" for kind in kinds if kind not in extensions)
    if not images:
        content = f"{len(found)} files of type {', '.join(sorted(others))} and no image" if found else "no files"
        raise UsageError(f"{key}={root} holds {content}: images are files of type {', '.join(sorted(extensions))}.")
    versions = [f"{name} {version}" for name, version in images]
    return Files(root, [name for name, _ in images], versions, dict(others.most_common()))


def versions(root: Path, files: Iterable[Path]) -> list[str]:
    """A text for each file that changes when the file does: its path from the root, size, and time of change."""
    return [f"{file.relative_to(root)} {_version(file)}" for file in sorted(files) if file.is_file()]


def _version(file: str | Path) -> str:
    info = os.stat(file)  # noqa: PTH116
    return f"{info.st_size} {info.st_mtime_ns}"


def _in_folder(root: Path) -> Iterator[tuple[str, str]]:
    """Names below the root with size and time of change; a link that leads nowhere counts as a file without them."""

    def fail(error: OSError) -> None:
        raise error  # or os.walk leaves the folder out

    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=fail):
        here = Path(folder)
        prefix = "" if here == root else f"{here.relative_to(root).as_posix()}/"
        ancestors = {path.resolve() for path in (here, *here.parents)}  # to which a link may lead back
        visible = [name for name in subfolders if not name.startswith(HIDDEN)]
        subfolders[:] = [name for name in visible if (here / name).resolve() not in ancestors]
        for name in names:
            if not name.startswith(HIDDEN):
                try:
                    yield prefix + name, _version(os.path.join(folder, name))  # noqa: PTH118
                except OSError:
                    yield prefix + name, "unreadable"


def _in_zip(path: Path) -> Iterator[tuple[str, str]]:
    for member in _archive(path, os.getpid()).infolist():
        hidden = any(part.startswith(HIDDEN) for part in PurePosixPath(member.filename).parts)
        if not member.is_dir() and not hidden:
            yield member.filename, f"{member.file_size} {member.CRC}"


@cache
def _archive(path: Path, process: int) -> ZipFile:
    """One open archive a process: processes that share one would move each other's position in the file."""
    return ZipFile(path)
