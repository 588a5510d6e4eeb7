"""Speed of data loading: `python tests/benchmarks/data.py [N_PHOTOS]`. Takes some minutes and up to 1 GB of disk.

A ratio is the median over the rounds, with the lowest and the highest; above 1 the first contestant is faster.
"""

import logging
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from contest import compare, header, timed  # first: it puts src and tests on the path

# isort: split
import numpy as np
from PIL import Image
from settings import config
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from genlab.commands.machine import keep_freed_memory
from genlab.config.build import build
from genlab.data import Folder
from genlab.data.files import find_files

N_PHOTOS, N_FILES, BATCH = int(sys.argv[1]) if sys.argv[1:] else 12_000, 200_000, 128
CROPPED = (transforms.CenterCrop(148), transforms.Resize(64))
FLOATS = transforms.Compose([*CROPPED, transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
LEVELS = transforms.Compose([*CROPPED, transforms.PILToTensor()])


def photographs(root: Path) -> None:
    """JPEGs of 178 x 218 pixels, smooth with some grain, as CelebA's are: about 10 kB each."""
    rng = np.random.default_rng(0)
    (root / "all").mkdir(parents=True)
    for number in range(N_PHOTOS):
        small = rng.integers(0, 256, (14, 11, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(small).resize((178, 218), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = rng.integers(-8, 9, smooth.shape, dtype=np.int16)
        Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(root / "all" / f"{number}.jpg", quality=85)


def image_folder(root: Path, transform: object, n_workers: int) -> None:
    """An epoch of torchvision's `ImageFolder`."""
    loader = DataLoader(ImageFolder(str(root), transform), batch_size=BATCH, shuffle=True, num_workers=n_workers)
    for _ in loader:
        pass


def first_pass(root: Path) -> None:
    """Decode everything into a new cache, with two processes."""
    cache = root.parent / "prepared"
    shutil.rmtree(cache, ignore_errors=True)
    Folder(str(root), cache_dir=str(cache), crop=148, decode_workers=2)(64, 3)


def later_epochs(root: Path) -> object:
    """Return an action: one epoch of all images as float batches on the device."""
    options = (f"data.root={root}", "data.crop=148", f"paths.data_dir={root.parent}", f"data.batch_size={BATCH}")
    datamodule = build(config("data=folder", *options).data)
    datamodule.setup()

    def epoch() -> None:
        for loader in (datamodule.train_dataloader(), datamodule.val_dataloader(), datamodule.test_dataloader()):
            for batch in loader:
                datamodule.on_after_batch_transfer(batch, 0)

    return epoch


def indexing(root: Path) -> None:
    """Print how long it takes to list many files."""
    for number in range(N_FILES // 1000):
        (root / "many" / f"{number}").mkdir(parents=True)
        for row in range(1000):
            (root / "many" / f"{number}" / f"{row}.jpg").touch()
    seconds = timed(lambda: find_files(root / "many"))()
    print(f"listing {N_FILES} files: {seconds:.1f} s")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    keep_freed_memory()  # as a run does
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        photographs(root / "photos")
        header()
        compare(
            "first pass, decoded and kept / an ImageFolder epoch, 2 processes each",
            timed(partial(first_pass, root / "photos")),
            timed(partial(image_folder, root / "photos", LEVELS, 2)),
            rounds=3,
        )
        later = timed(later_epochs(root / "photos"))
        for n_workers in (2, 0):
            compare(
                f"later epochs as floats / an ImageFolder epoch, {n_workers} worker processes",
                later,
                timed(partial(image_folder, root / "photos", FLOATS, n_workers)),
                rounds=3,
            )
        indexing(root)
