"""A sweep against as many separate commands, and what each of its runs costs besides training:
`python tests/benchmarks/sweep.py [N_AT_ONCE [ROUNDS]]`. Takes some minutes; run by hand.

Twelve runs of one epoch. The separate commands are started one after the other, and two at a time where there are two
cores, as the sweep does; above 1 the sweep is faster.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from contest import ROOT, compare, header, timed  # first: it puts src and tests on the path

# isort: split
from genlab.hardware import n_cores

MODELS, DIMS = ("ae", "vae", "gan"), (2, 8, 32, 64)
COMMON = ("trainer=cpu", "trainer.max_epochs=1", "callbacks.frechet.n_samples=100")
SCRIPT = str(ROOT / "src" / "train.py")


def run(folder: Path, *arguments: str) -> None:
    """Run the entry script."""
    subprocess.run([sys.executable, SCRIPT, *arguments, *COMMON], cwd=folder, capture_output=True, check=True)


def sweep(folder: Path) -> Callable[[], float]:
    """All runs by one command, with a name of its own for each round; prints the seconds that are not training."""

    def contestant() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as log:
            values = (f"model={','.join(MODELS)}", f"model.latent_dim={','.join(map(str, DIMS))}")
            seconds = timed(lambda: run(folder, "-m", *values, f"paths.log_dir={log}"))()
            runs = [json.loads(file.read_text())["seconds"] for file in Path(log).rglob("summary.json")]
        rest = seconds - sum(runs) / n_cores()
        print(f"  {seconds:.1f} s for {len(runs)} runs; {rest / len(runs):.2f} s a run besides the runs themselves")
        return seconds

    return contestant


def commands(folder: Path, at_once: int) -> Callable[[], float]:
    """Each run by a command of its own."""

    def contestant() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as log, ThreadPoolExecutor(at_once) as pool:
            typed = [(f"model={m}", f"model.latent_dim={d}", f"paths.log_dir={log}") for m, d in product(MODELS, DIMS)]
            return timed(lambda: list(pool.map(lambda parts: run(folder, *parts), typed)))()

    return contestant


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        header()
        folder = Path(name)
        rounds = int(sys.argv[2]) if sys.argv[2:] else 2
        for n in [int(sys.argv[1])] if sys.argv[1:] else (1, n_cores()):
            compare(f"a sweep / its runs {n} at a time", sweep(folder), commands(folder, n), rounds)
