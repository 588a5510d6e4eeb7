"""Data sets that torchvision knows: it downloads and verifies them, by a YAML file each."""

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torchvision.datasets import VisionDataset

from genlab.bounds import Share
from genlab.data.decode import RawImages
from genlab.data.prepared import PreparedSource, held_out
from genlab.errors import UsageError
from genlab.files import reason


class Torchvision(PreparedSource):
    """A data set of `torchvision.datasets` with an official training and test split, whose files never change.

    Args:
        root: where its files are, in torchvision's layout, or are downloaded to. MNIST's and those like it may also lie
            in the folder itself, as they were published or unpacked.
        train, test: make the two splits, given `root` and `download`.
        val_share: share of the training images that validate instead; 0: the test images validate, and the training
            split is complete, as most GAN papers have it.
        preparation: see `PreparedSource`.
    """

    def __init__(
        self,
        root: str,
        train: Callable[..., VisionDataset],
        test: Callable[..., VisionDataset],
        val_share: Share = 0.1,
        **preparation: Any,
    ) -> None:
        super().__init__(**preparation)
        self.root, self.train, self.test = Path(root).expanduser(), train, test
        self.val_share = val_share
        self.official_train = "train+val" if self.val_share else "train"
        self.name = train.func.__name__.lower()  # type: ignore[attr-defined]

    def identity(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"train": self.train, "test": self.test}
        described = {name: f"{part.func.__name__} {part.keywords}" for name, part in parts.items()}
        return {"root": str(self.root), "val_share": self.val_share, **described}

    def raw(self) -> Mapping[str, RawImages]:
        """Download what is missing and return the splits."""
        train, test = (self._loaded(part) for part in (self.train, self.test))
        names = [str(name) for name in getattr(train, "classes", ())]
        first, second = (RawImages(train, rows, names) for rows in held_out(len(train), self.val_share))
        tests = RawImages(test, np.arange(len(test)), names)
        return {"train": first, "val": second if len(second) else tests, "test": tests}

    def _loaded(self, part: Callable[..., Any]) -> Any:
        if files := _published_files(self.root, part):
            with TemporaryDirectory() as folder:  # in torchvision's layout, which reads all into memory
                _unpack(files, Path(folder) / part.func.__name__ / "raw")  # type: ignore[attr-defined]
                return part(root=folder)
        try:
            return part(root=str(self.root), download=True)
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"{self.name} is not complete in {self.root} and can't be downloaded "
                f"({reason(error)}): prepare it where there is a network, with src/prepare.py, or type "
                "where its files are with data.root=PATH."
            ) from error


def _published_files(root: Path, part: Any) -> list[Path]:
    """The files of a data set like MNIST, packed or not, that lie in a folder itself.

    Raises:
        UsageError: if some of them are there and others are not.
    """
    names = [name for name, _ in getattr(part.func, "resources", ())]
    found = {name: [path for path in (root / name, root / Path(name).stem) if path.is_file()] for name in names}
    missing = [name for name, paths in found.items() if not paths]
    if names and 0 < len(missing) < len(names):
        raise UsageError(f"{root} holds files of a data set, but not {', '.join(missing)}: put that there too.")
    return [paths[0] for paths in found.values() if paths]


def _unpack(files: Sequence[Path], folder: Path) -> None:
    """Write files, unpacked, into a new folder; raise a UsageError for a damaged one, which its own checksum tells."""
    folder.mkdir(parents=True)
    for path in files:
        try:
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            n_sides = content[3]  # an idx file: two zeros, the kind of number, and how many sides; then these
            shape = np.frombuffer(content, ">u4", n_sides, offset=4)
            if (n_bytes := 4 + 4 * n_sides + int(shape.prod())) != len(content):
                raise ValueError(f"it has {len(content)} bytes and not {n_bytes}")
        except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
            raise UsageError(f"{path} is damaged ({reason(error)}): download it anew.") from error
        (folder / path.name.removesuffix(".gz")).write_bytes(content)
