"""Whole commands and data loading, contestants in turn: `python tests/benchmarks/run.py [PART ...]`.

Takes some minutes. Parts: answers, start, memory, processes, batches; all of them where none is named. The models'
steps are in steps.py. A ratio is the median over the rounds, with the lowest and the highest; above 1 the first
contestant is faster.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from contest import ROOT, clock, compare, header, timed  # first: it puts src and tests on the path

# isort: split
from settings import config
from torch.utils.data import DataLoader, TensorDataset

from genlab.commands.machine import quieten
from genlab.config.build import build

TRAIN = str(ROOT / "src" / "train.py")
UNTIL = str(Path(__file__).with_name("train_until.py"))
IMPORTS = "import torch, torchvision, lightning"
N_STEPS = 50  # less than an epoch
LOOP = f"""
import sys
sys.path[:0] = ["{ROOT / "src"}", "{ROOT / "tests"}"]
import torch, torchvision
from genlab.networks import ConvDown, ConvUp
images = torch.randint(256, (5000, 1, 28, 28), dtype=torch.uint8)
encoder, decoder = ConvDown((1, 28, 28), (32,), hidden=256), ConvUp((16,), (1, 28, 28), hidden=256)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], fused=True)
for rows in torch.randint(len(images), ({N_STEPS}, 32)):
    x = images[rows] / 127.5 - 1
    mean, logvar = encoder(x).chunk(2, 1)
    x_hat = decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean))
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1)
    loss = ((x - x_hat).square().flatten(1).sum(1) + kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""  # a VAE as most scripts have it


def process(*arguments: str, **environment: str) -> Callable[[], float]:
    """Run Python."""
    env = os.environ | environment
    return timed(lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True, env=env))


def training(folder: str, *arguments: str) -> list[str]:
    """A script, and what is typed after it to leave nothing outside of a folder."""
    return [*arguments, f"paths.log_dir={folder}"]


def answers() -> None:
    """What needs no training."""
    clock("--help", process(TRAIN, "--help"))
    clock("--cfg job", process(TRAIN, "--cfg", "job"))
    clock("tab completion of model=", process(TRAIN, "-sc", "query=bash", COMP_LINE="python src/train.py model="))
    compare("--help / importing torch and Lightning", process(TRAIN, "--help"), process("-c", "import lightning"), 3)


def start() -> None:
    """From the command to the first step."""
    with tempfile.TemporaryDirectory() as folder:
        first_step = process(*training(folder, UNTIL, "0", "trainer=cpu"))
        compare("command to first step / importing torch, torchvision, lightning", first_step, process("-c", IMPORTS))


def peak(*arguments: str) -> float:
    """The most resident memory of a process of Python, in MB."""
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    return os.wait4(child.pid, 0)[2].ru_maxrss / 1024


def memory() -> None:
    """Of a training of some steps with the default callbacks, and of a plain loop that imports no Lightning."""
    with tempfile.TemporaryDirectory() as folder:
        ours, loop = peak(*training(folder, UNTIL, str(N_STEPS), "trainer=cpu")), peak("-c", LOOP)
    print(f"peak memory: {ours:.0f} MB, of a plain loop {loop:.0f} MB, {peak('-c', IMPORTS):.0f} MB of imports alone")


def seconds_an_image(n_threads: int, *arguments: str) -> float:
    """Of training, as its summary says."""
    with tempfile.TemporaryDirectory() as folder:
        process(
            *training(folder, TRAIN, "callbacks=summary", "trainer.max_epochs=4", *arguments),
            OMP_NUM_THREADS=str(n_threads),
        )()
        (file,) = Path(folder).rglob("summary.json")
        return 1 / json.loads(file.read_text())["images_per_second"]


def processes() -> None:
    """Two with a thread each against one with two threads; a VAE's gradients are 7 MB, a GAN's 1."""
    for model in ("model=vae", "model=gan"):
        compare(
            f"{model}, two gloo processes of one thread / one of two, same joint batch",
            lambda model=model: seconds_an_image(1, model, "trainer=ddp_cpu", "data.batch_size=32"),
            lambda model=model: seconds_an_image(2, model, "trainer=cpu", "data.batch_size=64"),
            rounds=2,
        )


def drained(batches: Iterable[object]) -> Callable[[], float]:
    """Go through all batches."""
    return timed(lambda: [None for _ in batches])


def batches() -> None:
    """Gathered by one index, and item by item."""
    data = build(config().data)
    split = (data.setup(), data.splits["train"])[1]
    items = TensorDataset(split.images, split.labels)
    compare(
        "batches by one index / item by item with collation",
        drained(data.train_dataloader()),
        drained(DataLoader(items, batch_size=data.batch_size, shuffle=True)),
    )


if __name__ == "__main__":
    quieten()
    logging.disable(logging.WARNING)
    header()
    for part in sys.argv[1:] or ("answers", "start", "memory", "processes", "batches"):
        globals()[part]()
