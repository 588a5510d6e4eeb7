"""Data sets as their publishers lay them out on disk, made of real digits or small generated images.

A function for each file in configs/data that reads files: it fills a folder and returns the overrides that lead there.
"""

import csv
import gzip
import pickle
import struct
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torchvision.datasets as published
from PIL import Image
from scipy.io import savemat
from torchvision.datasets.utils import calculate_md5

from genlab.data import Digits

N_TRAIN, N_TEST = 40, 20


def real_digits(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Real digits (n, 28, 28) with labels."""
    split = Digits()(limit=n)["train"]
    return split.images[:].numpy()[:, 0], split.labels.numpy()


def photographs(n: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colour images (n, height, width, 3)."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (n, 5, 4, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)) for image in small]
    )


def idx(array: np.ndarray) -> bytes:
    """The format of the MNIST files: type and number of dimensions, sizes, levels."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def idx_files(root: Path, name: str) -> list[str]:
    images, labels = real_digits(N_TRAIN + N_TEST)
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for prefix, part in (("train", slice(N_TRAIN)), ("t10k", slice(N_TRAIN, None))):
        for kind, array in (("images-idx3", images[part]), ("labels-idx1", labels[part])):
            content = idx(array)
            (raw / f"{prefix}-{kind}-ubyte").write_bytes(content)
            (raw / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    return [f"data.root={root}"]


def mnist(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return idx_files(root, "MNIST")


def fashion_mnist(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return idx_files(root, "FashionMNIST")


def kmnist(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return idx_files(root, "KMNIST")


def binary_mnist(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Its validation images come from the training split of the other layouts, where each pixel is above 127 or not."""
    black_or_white = (real_digits(N_TRAIN + N_TEST)[0] > 127).astype(int).reshape(-1, 784)
    folder = root / "binarized_mnist"
    folder.mkdir(parents=True)
    for name, rows in (("train", slice(30)), ("valid", slice(30, N_TRAIN)), ("test", slice(N_TRAIN, None))):
        np.savetxt(folder / f"binarized_mnist_{name}.amat", black_or_white[rows], fmt="%d")
    return [f"data.root={root}"]


def cifar10(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    images = photographs(N_TRAIN + N_TEST, 32, 32).transpose(0, 3, 1, 2).reshape(-1, 3072)
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    parts = [*np.split(np.arange(N_TRAIN), 5), np.arange(N_TRAIN, N_TRAIN + N_TEST)]
    for name, rows in zip(names, parts, strict=True):
        (folder / name).write_bytes(pickle.dumps({"data": images[rows], "labels": (rows % 10).tolist()}))
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": classes}))
    sums = {name: calculate_md5(folder / name) for name in [*names, "batches.meta"]}
    monkeypatch.setattr(published.CIFAR10, "train_list", [[name, sums[name]] for name in names[:5]])
    monkeypatch.setattr(published.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
    monkeypatch.setattr(published.CIFAR10, "meta", meta)
    return [f"data.root={root}"]


def svhn(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    root.mkdir(parents=True)
    splits = {}
    for name, n in (("train", N_TRAIN), ("test", N_TEST)):
        file = f"{name}_32x32.mat"
        images = photographs(n, 32, 32).transpose(1, 2, 3, 0)
        savemat(root / file, {"X": images, "y": (np.arange(n) % 10 + 1)[:, None]})  # 10 stands for the digit 0
        splits[name] = ["http://nowhere.invalid", file, calculate_md5(root / file)]
    monkeypatch.setattr(published.SVHN, "split_list", splits)
    return [f"data.root={root}"]


def celeba(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Torchvision's layout; the partition and the attributes have a line for each image."""
    celeba_in(root / "celeba")
    return [f"data.root={root}"]


def celeba_in(folder: Path, zipped: bool = False, table: str = "txt") -> None:
    """The files of CelebA in `folder`: images unpacked or not, tables official or Kaggle's."""
    folder.mkdir(parents=True, exist_ok=True)
    n = N_TRAIN + 2 * N_TEST
    names = [f"{number:06d}.jpg" for number in range(1, n + 1)]
    partition = [0] * N_TRAIN + [1] * N_TEST + [2] * N_TEST
    attributes = published_attributes()
    signs = np.where(np.random.default_rng(0).random((n, 40)) < 0.5, -1, 1)
    images = folder / "img_align_celeba"
    images.mkdir()
    for name, image in zip(names, photographs(n, 218, 178), strict=True):
        Image.fromarray(image).save(images / name, quality=95)
    if zipped:
        with ZipFile(folder / "img_align_celeba.zip", "w") as archive:
            for name in names:
                archive.write(images / name, f"img_align_celeba/{name}")
                (images / name).unlink()
        images.rmdir()
    if table == "csv":
        with (folder / "list_eval_partition.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("image_id", "partition"), *zip(names, partition, strict=True)])
        with (folder / "list_attr_celeba.csv").open("w", newline="") as file:
            rows = [(name, *line) for name, line in zip(names, signs.tolist(), strict=True)]
            csv.writer(file).writerows([("image_id", *attributes), *rows])
    else:
        lines = [f"{name} {part}" for name, part in zip(names, partition, strict=True)]
        (folder / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")
        lines = [f"{name} {' '.join(f'{sign:2d}' for sign in line)}" for name, line in zip(names, signs, strict=True)]
        (folder / "list_attr_celeba.txt").write_text("\n".join([str(n), " ".join(attributes) + " ", *lines]) + "\n")


def published_attributes() -> list[str]:
    """Forty names, three of them as published."""
    return ["5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", *(f"Attribute_{number}" for number in range(3, 40))]


def folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for name in ("cats", "dogs"):
        (root / name).mkdir(parents=True)
        for number, image in enumerate(photographs(60, 48, 40, seed=len(name))):
            Image.fromarray(image).save(root / name / f"{number}.png")
    return [f"data.root={root}"]


def huggingface(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    datasets = pytest.importorskip("datasets")
    images = [Image.fromarray(image) for image in photographs(120, 40, 40)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    data = datasets.Dataset.from_dict({"image": images, "label": [0, 1] * 60}, features=features)
    root.mkdir(parents=True)
    data.to_parquet(root / "pets.parquet")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(root / "cache"))
    return [f"data.path={root / 'pets.parquet'}"]
