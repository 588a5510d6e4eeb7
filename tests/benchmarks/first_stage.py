"""First stages at equal seconds: `python tests/benchmarks/first_stage.py PHOTOS [SECONDS] [SIZE] [MODEL ...]`.

A first stage of latent diffusion beside a VAE-GAN, on crops of the photographs in PHOTOS/train; crops of those in
PHOTOS/test are held out. Both have as many seconds of one core, as the processor counts them (600 if left out), and
batches of the same images; the discriminator of a first stage plays from a quarter of them on, as by default. Of the
held-out crops it prints the mean squared error in [-1, 1], and two ratios to the power of the originals' high
frequencies: `sharpness` is the power of the reconstructions', which patterns of a decoder's own have too; `in place` is
the product of both, 1 for the originals and 0 for patterns that have nothing to do with them. It leaves originals above
the reconstructions of each in `first_stage_SIZE.png`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import contest  # noqa: F401  # first: it puts src and tests on the path

# isort: split
import numpy as np
import torch
from lightning.pytorch import Callback
from PIL import Image
from settings import config
from torch import Tensor

from genlab.commands.machine import keep_freed_memory, quieten
from genlab.config.build import build
from genlab.images import grid, save_picture, to_float, to_uint8
from genlab.metrics import high_frequency_energy

CONTESTANTS = ["klgan", "vaegan"]
N_CROPS = {"train": 4000, "val": 40, "test": 400}
N_COLUMNS = 10


class Budget(Callback):
    """Ends training after some seconds of the processor: others who take it do not count."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_start(self, *_: object) -> None:
        self.start = process_time()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: object) -> None:
        share = (process_time() - self.start) / self.seconds
        trainer.should_stop = share > 1
        if share > 1 / 4 and getattr(pl_module, "first_batch_of_d", 0) > trainer.global_step:
            pl_module.first_batch_of_d = trainer.global_step


def crop(photos: Path, size: int, root: Path) -> None:
    """Write square crops of photographs at random places, of random sides from `size` pixels on."""
    rng = np.random.default_rng(0)
    for split, n in N_CROPS.items():
        paths = sorted((photos / ("test" if split == "test" else "train")).iterdir())
        opened = [Image.open(path).convert("RGB") for path in paths]
        (root / split).mkdir(parents=True)
        for number in range(n):
            photo = opened[number % len(opened)]
            side = int(rng.integers(size, max(size, min(photo.size)) + 1))
            x, y = int(rng.integers(0, photo.width - side + 1)), int(rng.integers(0, photo.height - side + 1))
            square = photo.resize((size, size), Image.Resampling.LANCZOS, (x, y, x + side, y + side))
            square.save(root / split / f"{number:04d}.png")


@torch.no_grad()
def reconstructions(name: str, seconds: float, data: list[str]) -> tuple[Tensor, Tensor]:
    """Train a model, and return the held-out images and what it makes of them, both (N, C, H, W)."""
    cfg = config(f"model={name}", *data, "trainer=cpu", "trainer.max_epochs=100000")
    torch.manual_seed(0)
    model, datamodule = build(cfg.model), build(cfg.data)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "limit_val_batches": 0}
    with torch.enable_grad():
        trainer = build(cfg.trainer, callbacks=[build(cfg.callbacks.ema), Budget(seconds)], **quiet)
        trainer.fit(model, datamodule)
    model.eval()
    trainer.callbacks[0].on_validation_start(trainer, model)  # puts the average in place
    x = to_float(datamodule.images("test")[:])
    x_hat = torch.cat([model.reconstruct(part) for part in x.split(50)])
    n_weights = sum(p.numel() for network in model.inference_networks().values() for p in network.parameters())
    mse = (x - x_hat).square().mean().item()
    facts = f"{trainer.global_step} batches, {n_weights / 1e6:.2f} M weights"
    print(
        f"{name}: mse {mse:.4f}, sharpness {{:.2f}}, in place {{:.2f}} ({facts})".format(*detail(x, x_hat)), flush=True
    )
    return x, x_hat


def detail(x: Tensor, x_hat: Tensor) -> tuple[float, float]:
    """Power of the high frequencies of reconstructions (N, C, H, W), and their product with the originals' there.

    Both over the power of the originals'. The product a.b is 2 |(a + b) / 2|^2 - (|a|^2 + |b|^2) / 2.
    """
    own, whole, both = (high_frequency_energy(to_uint8(part)).mean().item() for part in (x_hat, x, (x + x_hat) / 2))
    return own / whole, (2 * both - (own + whole) / 2) / whole


if __name__ == "__main__":
    quieten()
    keep_freed_memory()
    torch.set_num_threads(1)
    photos, seconds, size, *names = [*sys.argv[1:], *("600", "64")[len(sys.argv) - 2 :]]
    with TemporaryDirectory() as made:
        crop(Path(photos), int(size), Path(made) / "crops")
        data = ["data=folder", f"data.root={made}/crops", f"data.cache_dir={made}/cache", f"data.size={size}"]
        data.append(f"data.batch_size={max(1, 32 * 64**2 // int(size) ** 2)}")  # as many pixels
        found = [reconstructions(name, float(seconds), data) for name in names or CONTESTANTS]
    x = found[0][0]
    shown = torch.arange(N_COLUMNS) * (len(x) // N_COLUMNS + 1) % len(x)  # of all photographs in turn
    rows = torch.cat([x[shown], *(x_hat[shown] for _, x_hat in found)])
    save_picture(grid(rows, N_COLUMNS), Path(f"first_stage_{size}.png"))
