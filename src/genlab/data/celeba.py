"""CelebA: Liu et al., Deep Learning Face Attributes in the Wild, 2015."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock
from torchvision.datasets import CelebA as TorchvisionCelebA
from torchvision.datasets.utils import download_file_from_google_drive

from genlab.data.decode import RawImages
from genlab.data.files import Labelled, find_files
from genlab.data.prepared import PreparedSource
from genlab.errors import UsageError

HOME = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
IMAGES, PARTITION, ATTRIBUTES = "img_align_celeba", "list_eval_partition", "list_attr_celeba"
ENDINGS = {IMAGES: (".zip", ""), PARTITION: (".txt", ".csv"), ATTRIBUTES: (".txt", ".csv")}
PLACES = ("", "celeba", "Img", "Anno", "Eval")  # as people unpack it: flat, torchvision's way, as on Google Drive
SPLITS = {"train": 0, "val": 1, "test": 2}


class CelebA(PreparedSource):
    """202,599 aligned faces of 178 x 218 pixels, with 40 attributes each (0 or 1) and the official partition.

    Needs `img_align_celeba.zip` or the folder of that name, `list_eval_partition.txt` and `list_attr_celeba.txt` (or
    Kaggle's `.csv`) in `root` or in one of its folders `celeba`, `Img`, `Anno`, `Eval`. What is missing is downloaded.

    Args:
        root: where the files are.
        preparation: see `PreparedSource`.
    """

    name = "celeba"

    def __init__(self, root: str, **preparation: Any) -> None:
        super().__init__(**preparation)
        self.root = Path(root).expanduser()

    def identity(self) -> dict[str, Any]:
        """Names and sizes of the files that it is read from."""
        return {path.name: path.stat().st_size if path.is_file() else "folder" for path in self.paths.values()}

    def raw(self) -> Mapping[str, RawImages]:
        """Return the images by the official partition."""
        partition, attributes = _table(self.paths[PARTITION]), _table(self.paths[ATTRIBUTES])
        found = find_files(self.paths[IMAGES])
        by_name = {PurePosixPath(name).name: name for name in found.names}  # archives have them in a folder
        files = found._replace(names=[by_name.get(name, name) for name in partition.index])
        items = Labelled(files, (attributes.reindex(partition.index).to_numpy() > 0).astype(np.int64))
        names = [str(name) for name in attributes]
        return {
            split: RawImages(items, np.flatnonzero(partition.iloc[:, 0] == number), names, files.names)
            for split, number in SPLITS.items()
        }

    @cached_property
    def paths(self) -> dict[str, Path]:
        """The files, downloaded if they are not below the root."""
        if missing := [name for name in ENDINGS if self._find(name) is None]:
            self._download(missing)
        return {name: self._find(name) or self.root for name in ENDINGS}

    def _find(self, name: str) -> Path | None:
        candidates = (self.root / place / f"{name}{ending}" for ending in ENDINGS[name] for place in PLACES)
        return next((path for path in candidates if path.exists()), None)

    def _download(self, missing: list[str]) -> None:
        folder = self.root / "celeba"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / "download.lock"):
                for file_id, md5, filename in TorchvisionCelebA.file_list:
                    if Path(filename).stem in missing:
                        download_file_from_google_drive(file_id, folder, filename, md5)
        except Exception as error:  # each layer of a download raises errors of its own
            reason, needed = " ".join(str(error).split())[:200], [f"{name}{ENDINGS[name][0]}" for name in ENDINGS]
            raise UsageError(
                f"CelebA is not complete in {self.root}, and {' and '.join(missing)} can't be downloaded from Google "
                f"Drive ({reason}). Put {', '.join(needed)} from {HOME} into {folder}, or type where they are with "
                "data.root=PATH; or take CelebA from the Hugging Face hub: "
                "python src/train.py data=huggingface data.path=flwrlabs/celeba data.crop=148."
            ) from error


def _table(path: Path) -> pd.DataFrame:
    """Read a table with a row for each image: the official .txt, or Kaggle's .csv."""
    if path.suffix == ".csv":
        return pd.read_csv(path, index_col=0)
    if path.stem == ATTRIBUTES:  # a line with the count, then the names of the attributes
        return pd.read_csv(path, sep=r"\s+", skiprows=1)
    return pd.read_csv(path, sep=r"\s+", header=None, index_col=0)
