"""Data sets of the Hugging Face hub, and files in its formats; needs the extra `huggingface`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genlab.data.decode import RawImages
from genlab.data.prepared import PreparedSource, held_out
from genlab.errors import UsageError, share, unknown

SPLIT_NAMES = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}


class HuggingFace(PreparedSource):
    """Images of a hub data set, of parquet files, or of a folder that `save_to_disk` wrote.

    A split that the data set does not have is taken out of the training split, always the same images.

    Args:
        path: name on the hub, such as flwrlabs/celeba; a .parquet file or a folder of them; or a saved data set.
        subset: of the data set, where it has several configurations.
        revision: commit, tag or branch on the hub. The decoded images stay those of the first download.
        image_column: with the images; None for the first one of that type.
        label_column: with the labels; None for the first one of classes, or all truth values as a vector.
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
        val_share: float = 0.1,
        test_share: float = 0.1,
        **preparation: Any,
    ) -> None:
        super().__init__(**preparation)
        self.path, self.subset, self.revision = path, subset, revision
        self.image_column, self.label_column = image_column, label_column
        self.val_share, self.test_share = share("data.val_share", val_share), share("data.test_share", test_share)
        self.local = Path(path).expanduser()
        self.name = self.local.stem if self.local.exists() else path.replace("/", "--")

    def identity(self) -> dict[str, Any]:
        """Name and revision on the hub, or size and age of each local file; and what is taken of them."""
        options = ("subset", "revision", "image_column", "label_column", "val_share", "test_share")
        files = sorted(file for file in [self.local, *self.local.rglob("*")] if file.is_file())
        versions = [f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
        return {"path": self.path, "files": versions} | {name: getattr(self, name) for name in options}

    def raw(self) -> Mapping[str, RawImages]:
        """Load, downloading what is missing, and return the splits."""
        parts = {SPLIT_NAMES.get(name, name): data for name, data in self._loaded().items()}
        if "train" not in parts:
            raise UsageError(f"data.path={self.path} has no split train, but {', '.join(parts)}.")
        items = {name: self._items(data) for name, data in parts.items() if name in SPLIT_NAMES.values()}
        rows = {name: np.arange(len(part)) for name, part in items.items()}
        for name, wanted in (("test", self.test_share), ("val", self.val_share)):
            if name not in items:
                kept, chosen = held_out(len(rows["train"]), wanted)
                items[name], rows[name], rows["train"] = items["train"], rows["train"][chosen], rows["train"][kept]
        if len(rows["val"]) == 0:
            items["val"], rows["val"] = items["test"], rows["test"]
        return {name: RawImages(items[name], rows[name], items[name].label_names) for name in ("train", "val", "test")}

    def _loaded(self) -> dict[str, Any]:
        try:
            import datasets
        except ImportError as error:
            raise UsageError("data=huggingface needs the datasets library: pip install -e '.[huggingface]'.") from error
        if not self.local.exists() and (self.local.suffix == ".parquet" or self.path.startswith((".", "/", "~"))):
            raise UsageError(f"data.path={self.path} does not exist: type a hub name, a .parquet file or a folder.")
        try:
            if (self.local / "dataset_dict.json").is_file() or (self.local / "state.json").is_file():
                loaded = datasets.load_from_disk(str(self.local))
            elif self.local.suffix == ".parquet":
                loaded = datasets.load_dataset("parquet", data_files=str(self.local))
            else:
                loaded = datasets.load_dataset(self.path, self.subset, revision=self.revision)
        except Exception as error:  # the library, its file formats and the network raise errors of their own
            raise UsageError(f"data.path={self.path} can't be loaded: {' '.join(str(error).split())}") from error
        return dict(loaded) if isinstance(loaded, dict) else {"train": loaded}

    def _items(self, data: Any) -> "HubItems":
        return HubItems(data, self._image_column(data), self.label_column)

    def _image_column(self, data: Any) -> str:
        import datasets

        found = [name for name, kind in data.features.items() if isinstance(kind, datasets.Image)]
        chosen = self.image_column or next(iter(found), "")
        if chosen not in data.features:
            raise UsageError(unknown("data.image_column", chosen, list(data.features)))
        return chosen


class HubItems:
    """The rows of a data set of the hub as pairs of an encoded image and a label."""

    def __init__(self, data: Any, image_column: str, label_column: str | None) -> None:
        import datasets

        kinds = data.features
        truths = [name for name, kind in kinds.items() if getattr(kind, "dtype", None) == "bool"]
        classes = [name for name, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)]
        classes += [name for name in ("label", "labels") if getattr(kinds.get(name), "dtype", "").startswith("int")]
        if label_column is not None and label_column not in kinds:
            raise UsageError(unknown("data.label_column", label_column, list(kinds)))
        chosen = label_column or next(iter(classes), None)
        if chosen:
            self.labels, self.label_names = np.asarray(data[chosen][:]), getattr(kinds[chosen], "names", [])
        else:
            columns = [np.asarray(data[name][:]) for name in truths]
            self.labels = np.stack(columns, axis=1) if columns else np.zeros(len(data))
            self.label_names = truths
        self.labels = self.labels.astype(np.int64)
        self.images = data.select_columns(image_column).cast_column(image_column, datasets.Image(decode=False))
        self.column = image_column

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Any, Any]:
        image = self.images[row][self.column]
        return image["bytes"] or image["path"], self.labels[row]
