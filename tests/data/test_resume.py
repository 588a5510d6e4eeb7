"""The position in the data is part of a checkpoint."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from settings import TINY, config

from genlab.config.build import build
from genlab.data import ImageDataModule


class SaveAt(Callback):
    """Writes a checkpoint after some batch."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


@pytest.mark.parametrize("n_workers", [0, 1])
@pytest.mark.parametrize("step", [6, 8], ids=["middle of an epoch", "last batch of an epoch"])
def test_a_resumed_run_sees_the_images_that_the_uninterrupted_one_would_have_seen(
    step, n_workers, tmp_path, monkeypatch
):
    """Three epochs of four batches, flips and binarisation included."""
    seen: list[float] = []
    original = ImageDataModule.on_after_batch_transfer

    def watched(self, batch, dataloader_idx):
        x, y = original(self, batch, dataloader_idx)
        if batch.is_training:
            seen.append((x * torch.linspace(1, 2, 28)).sum().item())
        return x, y

    monkeypatch.setattr(ImageDataModule, "on_after_batch_transfer", watched)
    options = (*TINY, "data.flip=true", "data.binarize=dynamic", f"data.num_workers={n_workers}")
    cfg = config(*options, "trainer.max_epochs=3")
    silent = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    path = tmp_path / "some.ckpt"
    build(cfg.trainer, callbacks=[SaveAt(step, path)], **silent).fit(build(cfg.model), build(cfg.data))
    assert len(set(seen)) == len(seen) == 12

    whole = list(seen)
    seen.clear()
    build(cfg.trainer, **silent).fit(build(cfg.model), build(cfg.data), ckpt_path=str(path))
    assert seen == whole[step:]
