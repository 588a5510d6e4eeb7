"""A spatial VAE on photographs of 256 pixels a side, in as little memory as a laptop has to spare."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from layouts import photographs
from PIL import Image
from settings import ROOT

MEASURED = """
import atexit, runpy, sys
from pathlib import Path
def tell():
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0], flush=True)
atexit.register(tell)
sys.argv[:1] = []
runpy.run_path(sys.argv[0], run_name="__main__")
"""
SPATIAL = ("model=vae", "model/encoder=spatial", "model/decoder=spatial", "model.downsample=8")
LARGE = ("data=folder", "data.root=photos", "data.size=256", "data.random_crop=272", "data.batch_size=2")
CHECKPOINTED = ("model.encoder.gradient_checkpointing=true", "model.decoder.gradient_checkpointing=true")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_two_steps_on_images_of_256_pixels_take_less_than_four_gigabytes_in_bfloat16(tmp_path):
    """With the cache that is memory-mapped, random parts, gradient checkpointing, and a checkpoint."""
    (tmp_path / "photos").mkdir()
    for number, image in enumerate(photographs(16, 300, 280)):
        Image.fromarray(image).save(tmp_path / "photos" / f"{number}.png")
    typed = (*SPATIAL, *LARGE, *CHECKPOINTED, "trainer=cpu", "trainer.max_steps=2", "trainer.precision=bf16-mixed")
    typed = (*typed, "callbacks=checkpoint", "hydra.run.dir=run", f"paths.data_dir={tmp_path}/data")
    command = [sys.executable, "-c", MEASURED, str(ROOT / "src" / "train.py"), *typed]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert yaml.safe_load((tmp_path / "run" / "summary.json").read_text())["status"] == "completed"
    peak = int(result.stdout.split()[-1])  # KiB
    assert 0.2 < peak / 2**20 < 4
    (stored,) = (tmp_path / "data" / "prepared").glob("*/train.npy")
    assert np.load(stored, mmap_mode="r").shape[1:] == (3, 272, 272)
