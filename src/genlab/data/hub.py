"""Data sets of the Hugging Face hub, and files in its formats; needs the extra `huggingface`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genlab.bounds import Share
from genlab.data.columns import choose_images, choose_labels, source, undecoded
from genlab.data.decode import RawImages
from genlab.data.files import versions
from genlab.data.prepared import PreparedSource, held_out
from genlab.errors import UsageError
from genlab.files import reason

SPLIT_NAMES = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}


class HuggingFace(PreparedSource):
    """Images of a hub data set, of parquet files, or of a folder that `save_to_disk` wrote.

    A split that the data set does not have is taken out of the training split, always the same images.

    Args:
        path: name on the hub, such as flwrlabs/celeba; a .parquet file or a folder of them; or a saved data set.
        subset: of the data set, where it has several configurations.
        revision: commit, tag or branch on the hub. The decoded images stay those of the first download.
        image_column: with the images; None for the first one of that type, or that holds any.
        label_column: with the labels; None for the first one of classes, one called label, or all truth values as a
            vector; `none` for no labels.
        val_share, test_share: share of the images in a split that does not exist. No share for validation means that
            the test images validate.
        preparation: see `PreparedSource`.
    """

    def __init__(
        self,
        path: str,
        subset: str | None = None,
        revision: str | None = None,
        image_column: str | None = None,
        label_column: str | None = None,
        val_share: Share = 0.1,
        test_share: Share = 0.1,
        **preparation: Any,
    ) -> None:
        super().__init__(**preparation)
        self.path, self.subset, self.revision = path, subset, revision
        self.image_column, self.label_column = (
            None if column is None else str(column) for column in (image_column, label_column)
        )
        self.val_share, self.test_share = val_share, test_share
        self.root = Path(path).expanduser()
        self.name = self.root.stem if self.root.exists() else path.replace("/", "--")

    def identity(self) -> dict[str, Any]:
        """Name and revision, and what is taken of it."""
        options = ("path", "subset", "revision", "image_column", "label_column", "val_share", "test_share")
        return {name: getattr(self, name) for name in options}

    def versions(self) -> list[str]:
        """Name, size and age of each local file. (Not of images that a table names by their paths.)"""
        files = [self.root, *self.root.rglob("*")]
        return versions(self.root.parent, (file for file in files if not file.name.startswith((".", "cache-"))))

    def raw(self) -> Mapping[str, RawImages]:
        """Load, downloading what is missing, and return the splits."""
        parts = {SPLIT_NAMES.get(name, name): data for name, data in self._loaded().items()}
        if "train" not in parts:
            raise UsageError(f"data.path={self.path} has no split train, but {', '.join(parts)}.")
        parts = {name: data for name, data in parts.items() if name in SPLIT_NAMES.values()}
        folder = self.root if self.root.is_dir() else self.root.parent
        labels = choose_labels(parts, self.label_column)
        image_column = choose_images(parts["train"], self.image_column, folder)
        items = {name: HubItems(data, image_column, labels.by_split[name], folder) for name, data in parts.items()}
        rows = {name: np.arange(len(part)) for name, part in parts.items()}
        for name, wanted in (("test", self.test_share), ("val", self.val_share)):
            if name not in items:
                kept, chosen = held_out(len(rows["train"]), wanted)
                items[name], rows[name], rows["train"] = items["train"], rows["train"][chosen], rows["train"][kept]
        if len(rows["val"]) == 0:
            items["val"], rows["val"] = items["test"], rows["test"]
        return {name: RawImages(items[name], rows[name], labels.names) for name in ("train", "val", "test")}

    def _loaded(self) -> dict[str, Any]:
        try:
            import datasets
        except ImportError as error:
            raise UsageError("data=huggingface needs the datasets library: pip install -e '.[huggingface]'.") from error
        if not self.root.exists() and (self.root.suffix == ".parquet" or self.path.startswith((".", "/", "~"))):
            raise UsageError(f"data.path={self.path} does not exist: type a hub name, a .parquet file or a folder.")
        try:
            if (self.root / "dataset_dict.json").is_file() or (self.root / "state.json").is_file():
                loaded = datasets.load_from_disk(str(self.root))
            elif self.root.suffix == ".parquet":
                loaded = datasets.load_dataset("parquet", data_files=str(self.root))
            else:
                loaded = datasets.load_dataset(self.path, self.subset, revision=self.revision)
        except Exception as error:  # the library, its file formats and the network raise errors of their own
            raise UsageError(f"data.path={self.path} can't be loaded: {reason(error)}") from error
        return dict(loaded) if isinstance(loaded, dict) else {"train": loaded}


class HubItems:
    """The rows of a data set of the hub as pairs of an encoded image and a label."""

    def __init__(self, data: Any, column: str, labels: np.ndarray, folder: Path) -> None:
        self.images, self.column, self.labels, self.folder = undecoded(data, column), column, labels, folder

    def __getitem__(self, row: int) -> tuple[Any, Any]:
        return source(self.images[row][self.column], self.folder), self.labels[row]
