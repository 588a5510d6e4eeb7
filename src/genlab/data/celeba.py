"""CelebA: Liu et al., Deep Learning Face Attributes in the Wild, 2015."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import pandas as pd
from torchvision.datasets import CelebA as TorchvisionCelebA
from torchvision.datasets.utils import download_file_from_google_drive

from genlab.data.decode import UNLABELLED, Labelled, RawImages
from genlab.data.files import Files, find_files, versions
from genlab.data.prepared import PreparedSource
from genlab.errors import UsageError
from genlab.files import reason

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
        partition: `official`, or `all` for training on every image, those that validate and test included.
        preparation: see `PreparedSource`.
    """

    name = "celeba"

    def __init__(self, root: str, partition: Literal["official", "all"] = "official", **preparation: Any) -> None:
        super().__init__(**preparation)
        self.root = Path(root).expanduser()
        self.partition = partition

    def identity(self) -> dict[str, Any]:
        return {} if self.partition == "official" else {"partition": self.partition}  # else the files say it all

    def versions(self) -> list[str]:
        if not all(map(self._find, ENDINGS)):
            return []
        return self.files.versions + versions(self.root, [self.paths[PARTITION], self.paths[ATTRIBUTES]])

    @cached_property
    def files(self) -> Files:
        """The images, listed once."""
        return find_files(self.paths[IMAGES])

    def notes(self) -> dict[str, Any]:
        return {"left_out": self.files.left_out}

    def raw(self) -> Mapping[str, RawImages]:
        """Return the images by the official partition; -1 where the attributes of one are not known."""
        partition, attributes = _table(self.paths[PARTITION]).iloc[:, 0], _table(self.paths[ATTRIBUTES])
        by_name = {PurePosixPath(name).name: name for name in self.files.names}  # archives have them in a folder
        files = replace(self.files, names=[by_name.get(name, name) for name in partition.index])
        signs = attributes.reindex(partition.index).to_numpy()
        items = Labelled(files, np.where(np.isnan(signs), UNLABELLED, signs > 0).astype(np.int64))
        rows = {split: np.flatnonzero(partition == number) for split, number in SPLITS.items()}
        if self.partition == "all":
            rows["train"] = np.arange(len(partition))
        return {split: RawImages(items, part, [*map(str, attributes)], files.names) for split, part in rows.items()}

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
            for file_id, md5, filename in TorchvisionCelebA.file_list:
                if Path(filename).stem in missing:
                    download_file_from_google_drive(file_id, folder, filename, md5)
        except Exception as error:  # each layer of a download raises errors of its own
            needed = ", ".join(f"{name}{endings[0]}" for name, endings in ENDINGS.items())
            raise UsageError(
                f"CelebA is not complete in {self.root}, and {' and '.join(missing)} can't be downloaded from Google "
                f"Drive ({reason(error)[:200]}). Put {needed} from {HOME} into {folder}, or type where they are with "
                "data.root=PATH; or take CelebA from the Hugging Face hub: "
                "python src/train.py data=huggingface data.path=flwrlabs/celeba data.crop=148."
            ) from error


def _table(path: Path) -> pd.DataFrame:
    """Read a table of numbers with a row for each image: the official .txt, or Kaggle's .csv."""
    options: dict[str, Any] = {"sep": r"\s+", "header": None, "index_col": 0}
    if path.suffix == ".csv":
        options = {"index_col": 0}
    elif path.stem == ATTRIBUTES:  # a line with the count, then the names of the attributes
        options = {"sep": r"\s+", "skiprows": 1}
    try:
        table = pd.read_csv(path, **options)
        return table.set_index(table.index.astype(str)).astype(float)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise UsageError(f"{path} can't be read as a table of numbers with a row for each image ({error}).") from error
