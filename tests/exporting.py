"""Exports, and a Python that has nothing but PyTorch and safetensors to use them."""

import json
import subprocess
import sys
from pathlib import Path

import torch
from omegaconf import OmegaConf
from settings import config
from torch.nn.modules.batchnorm import _BatchNorm

from genlab.commands.export import export
from genlab.config.build import build

ALONE = """
import sys
ALLOWED = {*sys.stdlib_module_names, "torch", "torchgen", "functorch", "typing_extensions", "safetensors"}
ALLOWED |= {"generate", "networks"}  # of the folder

class Only:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Only())
import warnings
warnings.filterwarnings("ignore", "Failed to initialize NumPy")
"""
DRAW = """
import json, runpy
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    sys.modules.pop("networks", None)
    made = runpy.run_path(folder + "/generate.py")
    images = made["generate"](3, seed=1)
    made["save_png"](images[0], folder + "/drawn.png")
    with open(folder + "/drawn.json", "w") as file:
        json.dump(images.tolist(), file)
"""


def run_alone(code: str, *arguments: object, cwd: Path) -> str:
    """Run Python that can import the standard library, PyTorch, safetensors and what a folder holds, and no more."""
    command = [sys.executable, "-I", "-c", ALONE + code, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def drawn_alone(*folders: Path) -> list[torch.Tensor]:
    """Three images of seed 1 from each folder, drawn by its generate.py; the first one is written as a PNG too."""
    run_alone(DRAW, *folders, cwd=folders[0])
    return [torch.tensor(json.loads((folder / "drawn.json").read_text())) for folder in folders]


def exported(run: Path, folder: Path, *overrides: str) -> Path:
    """Export a run."""
    return export(config(f"run={run}", f"to={folder}", *overrides, name="export"))


@torch.no_grad()
def untrained(path: Path, *overrides: str) -> Path:
    """Write the checkpoint of a run without training, with random statistics in place of those that nothing changes."""
    cfg = config(*overrides)
    torch.manual_seed(0)
    model = build(cfg.model)
    for name, buffer in model.named_buffers():
        if name == "frequencies":  # of the entries of a codebook, in rows
            buffer.uniform_().div_(buffer.sum(1, keepdim=True))
        elif buffer.ndim == 2:  # a covariance
            buffer.normal_().copy_(buffer @ buffer.T)
        elif buffer.ndim == 1:  # a mean or a variance, small, or all that follows would be zero
            buffer.uniform_(*((-0.1, 0.1) if "mean" in name else (0.1, 0.5)))
    for norm in (module for module in model.modules() if isinstance(module, _BatchNorm)):
        norm.momentum = 1.0  # the statistics of one batch: through those at random a deep network may end in thousands
    model.train().decode(model.prior(64))
    model.eval()
    stored = {"config": OmegaConf.to_container(cfg, resolve=True), "state_dict": model.state_dict(), "images_seen": 0}
    torch.save(stored, path)
    return path
