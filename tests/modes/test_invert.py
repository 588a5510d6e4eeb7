"""The closest images that a decoder can make, as a picture."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from settings import config
from toy import Toy

from genlab.config.build import build
from genlab.images import to_float
from genlab.modes import Invert
from genlab.protocols import LoadedRun


@pytest.fixture(scope="module")
def run():
    """A decoder that makes any image of 8x8 pixels."""
    data = build(config("data.size=8", "data.limit=40").data)
    return LoadedRun(Toy(lambda z: z.view(-1, 1, 8, 8), latent_dim=64), data, {}, Path())


def test_targets_stand_above_what_was_found_and_the_nearest_training_images(run, generator, caplog):
    caplog.set_level("INFO")
    sheet = Invert(n=6, n_columns=3)(run, generator)
    targets, found, training = sheet.images.unflatten(0, (2, 3, 3)).transpose(0, 1).flatten(1, 2)
    assert torch.equal(targets, to_float(run.datamodule.examples("test", 6)))
    assert torch.equal(found, sheet.arrays["codes"].view(-1, 1, 8, 8))
    assert (found - targets).abs().max() < 0.01
    errors, apart = sheet.arrays["errors"], 127.5 * (targets - training).square().flatten(1).mean(1).sqrt()
    assert errors.max() < 1
    assert sheet.arrays["errors_of_training"].tolist() == pytest.approx(apart.tolist(), rel=1e-5)
    assert sheet.captions[:9] == ["", "", "", *(f"{e:.1f}" for e in errors[:3]), *(f"{e:.1f}" for e in apart[:3])]
    assert "Of 6 images 6 are reached" in caplog.text


def test_an_image_of_ones_own_is_a_target(run, generator, tmp_path):
    image = torch.arange(64, dtype=torch.uint8).view(8, 8)
    Image.fromarray(image.numpy()).save(tmp_path / "mine.png")
    sheet = Invert(input=str(tmp_path / "mine.png"))(run, generator)
    assert torch.equal(sheet.images[0, 0], to_float(image))
    assert len(sheet.images) == 3
