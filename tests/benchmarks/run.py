"""Speed, as ratios of contestants run in turn: `python tests/benchmarks/run.py`. Takes some minutes; run by hand.
The models' steps are in steps.py.

Each line gives the median, lowest and highest ratio over the rounds; above 1 the first contestant is faster.
"""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterable

from contest import ROOT, compare, header, timed  # first: it puts src and tests on the path

# isort: split
from settings import config
from torch.utils.data import DataLoader, TensorDataset

from genlab.commands.machine import quieten
from genlab.config.build import build


def drained(batches: Iterable[object]) -> Callable[[], float]:
    """Go through all batches."""
    return timed(lambda: [None for _ in batches])


def process(*arguments: str) -> Callable[[], float]:
    """Run Python."""
    return timed(lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True))


if __name__ == "__main__":
    quieten()
    logging.disable(logging.WARNING)
    header()
    script = str(ROOT / "src" / "train.py")
    compare("--help / importing torch and Lightning", process(script, "--help"), process("-c", "import lightning"), 3)
    data = build(config().data)
    split = (data.setup(), data.splits["train"])[1]
    items = TensorDataset(split.images, split.labels)
    compare(
        "batches by one index / item by item with collation",
        drained(data.train_dataloader()),
        drained(DataLoader(items, batch_size=data.batch_size, shuffle=True)),
    )
