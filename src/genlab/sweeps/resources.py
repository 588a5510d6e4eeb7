"""How many runs there is room for at a time, and on which GPUs."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from genlab.bounds import PositiveInt
from genlab.config.values import convert
from genlab.errors import UsageError
from genlab.hardware import memory, n_cores

BYTES_PER_RUN = 2 * 1024**3  # of memory, on the CPU


class Demand(NamedTuple):
    """What a run needs."""

    n_processes: int = 1
    n_gpus: int = 0


class Pool:
    """Lends GPUs to runs.

    Args:
        gpus: their names, as in CUDA_VISIBLE_DEVICES.
        n_jobs: runs at a time, those without a GPU included.
        runs_per_gpu: how many may share one.
    """

    def __init__(self, gpus: Sequence[str], n_jobs: int, runs_per_gpu: int = 1) -> None:
        self.gpus, self.n_jobs, self.runs_per_gpu = gpus, n_jobs, runs_per_gpu
        self._lent: list[tuple[str, ...]] = []  # to each run

    @property
    def is_full(self) -> bool:
        """Whether there is no room for any run."""
        return len(self._lent) == self.n_jobs

    def take(self, n_gpus: int) -> tuple[str, ...] | None:
        """Lend a run its GPUs, the least busy ones first; None if there is no room for it."""
        busy = Counter(gpu for gpus in self._lent for gpu in gpus)
        free = sorted((gpu for gpu in self.gpus if busy[gpu] < self.runs_per_gpu), key=busy.__getitem__)
        if self.is_full or len(free) < n_gpus:
            return None
        self._lent.append(tuple(free[:n_gpus]))
        return self._lent[-1]

    def give_back(self, gpus: tuple[str, ...]) -> None:
        """Take back what was lent to a run."""
        self._lent.remove(gpus)


def check_number(key: str, value: Any) -> int | None:
    """Return `hydra.launcher.KEY`; raise a UsageError unless it is a whole number of at least 1, or null."""
    number: int | None = convert(f"hydra.launcher.{key}", value, PositiveInt | None)
    return number


def name_gpus(n_gpus: int, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Name the GPUs that PyTorch sees, as CUDA_VISIBLE_DEVICES names them."""
    named = [name.strip() for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (named or [str(number) for number in range(n_gpus)])[:n_gpus]


def read_demand(config: Mapping[str, Any], n_gpus: int, gpus_per_job: int | None) -> Demand:
    """Read from its trainer what a run takes.

    Raises:
        UsageError: if it takes more GPUs than there are, or chooses its own.
    """
    trainer = config.get("trainer") or {}
    accelerator, devices = trainer.get("accelerator", "cpu"), trainer.get("devices", 1)
    if not n_gpus or accelerator not in ("auto", "gpu", "cuda", "mps"):
        return Demand(max(1, int(devices)) if accelerator == "cpu" and str(devices).isdigit() else 1)
    key = "trainer.devices"
    if devices in ("auto", -1, "-1"):  # every device
        key, devices = "hydra.launcher.gpus_per_job", gpus_per_job or n_gpus
    if not str(devices).isdigit():
        raise UsageError(
            f"trainer.devices={devices} names GPUs, and a sweep hands them out: type a number of them, as in "
            "trainer.devices=2, and CUDA_VISIBLE_DEVICES=0,1 in front of the command for certain ones."
        )
    if int(devices) > n_gpus:
        raise UsageError(f"{key}={devices} is more than the {n_gpus} GPU(s) here: type {key}={n_gpus} or less.")
    return Demand(int(devices), int(devices))


def make_pool(n_jobs: int | None, gpus: Sequence[str], demands: Sequence[Demand]) -> Pool:
    """Work out how many runs there is room for: for `n_jobs`, or else by the GPUs, cores and memory."""
    fewest = min((demand.n_gpus for demand in demands if demand.n_gpus), default=1)
    if n_jobs:
        return Pool(gpus, n_jobs, math.ceil(n_jobs * fewest / len(gpus)) if gpus else 1)
    on_gpus = len(gpus) // fewest if any(demand.n_gpus for demand in demands) else 0
    on_cores = 0
    if not all(demand.n_gpus for demand in demands):
        on_cores = int(max(1, min(n_cores(), (memory() or math.inf) // BYTES_PER_RUN)))
    return Pool(gpus, on_gpus + on_cores)


def count_threads(pool: Pool, demands: Sequence[Demand], environment: Mapping[str, str] = os.environ) -> int:
    """Threads of each process, so that all that run side by side have a core for each thread.

    What the user has set by OMP_NUM_THREADS stands.
    """
    said = environment.get("OMP_NUM_THREADS", "")
    if said.isdigit():
        return int(said)
    n_processes = [demand.n_processes for demand in demands]
    return max(1, n_cores() // min(sum(n_processes), pool.n_jobs * max(n_processes)))
