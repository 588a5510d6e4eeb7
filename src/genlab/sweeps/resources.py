"""How many runs there is room for at a time: GPUs and cores, lent to runs and given back."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from genlab.config.values import convert
from genlab.errors import UsageError, whole_number
from genlab.hardware import memory, n_cores

BYTES_PER_PROCESS = 2 * 1024**3  # of memory, on the CPU


class Demand(NamedTuple):
    """What a run needs: a core for each of its processes, or GPUs."""

    n_processes: int = 1
    n_gpus: int = 0


class Lease(NamedTuple):
    """What a run has been lent."""

    gpus: tuple[str, ...] = ()
    n_cores: int = 0


class Pool:
    """GPUs and cores, lent to runs.

    Args:
        gpus: their names, as in CUDA_VISIBLE_DEVICES.
        n_cores: for runs without a GPU; None where their number does not matter.
        n_jobs: runs at a time; None for as many as there is room for.
        runs_per_gpu: how many may share one.
    """

    def __init__(
        self, gpus: Sequence[str] = (), n_cores: int | None = None, n_jobs: int | None = None, runs_per_gpu: int = 1
    ) -> None:
        self.gpus, self.n_cores, self.n_jobs, self.runs_per_gpu = tuple(gpus), n_cores, n_jobs, runs_per_gpu
        self._leases: list[Lease] = []

    def take(self, demand: Demand) -> Lease | None:
        """Lend what a run needs, the least busy GPUs first; None if that is not free."""
        if len(self._leases) == self.n_jobs:
            return None
        lease = Lease()
        if demand.n_gpus:
            busy = Counter(gpu for lease in self._leases for gpu in lease.gpus)
            free = sorted((gpu for gpu in self.gpus if busy[gpu] < self.runs_per_gpu), key=busy.__getitem__)
            lease = Lease(gpus=tuple(free[: demand.n_gpus]))
            if len(lease.gpus) < demand.n_gpus:
                return None
        elif self.n_cores is not None:
            lease = Lease(n_cores=min(demand.n_processes, self.n_cores))  # more than there are: it has them all
            if lease.n_cores > self.n_cores - sum(lent.n_cores for lent in self._leases):
                return None
        self._leases.append(lease)
        return lease

    def give_back(self, lease: Lease) -> None:
        """End a lease."""
        self._leases.remove(lease)


def check_number(key: str, value: Any) -> int | None:
    """Return `hydra.launcher.KEY`; raise a UsageError unless it is a whole number of at least 1, or null."""
    number = convert(f"hydra.launcher.{key}", value, int | None)
    return None if number is None else whole_number(f"hydra.launcher.{key}", number)


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
    """Work out how many runs there is room for."""
    if n_jobs:
        fewest = min((d.n_gpus for d in demands if d.n_gpus), default=1)
        return Pool(gpus, None, n_jobs, math.ceil(n_jobs * fewest / len(gpus)) if gpus else 1)
    room = (memory() or math.inf) // BYTES_PER_PROCESS
    return Pool(gpus, int(max(1, min(n_cores(), room))))


def count_threads(pool: Pool, demands: Sequence[Demand], environment: Mapping[str, str] = os.environ) -> int:
    """Threads of each process, so that all that run side by side have a core for each thread.

    What the user has set by OMP_NUM_THREADS stands.
    """
    said = environment.get("OMP_NUM_THREADS", "")
    if said.isdigit():
        return int(said)
    n_processes = [demand.n_processes for demand in demands]
    if pool.n_jobs:
        room = pool.n_jobs * max(n_processes)
    else:
        room = len(pool.gpus) if any(demand.n_gpus for demand in demands) else pool.n_cores or 1
    return max(1, n_cores() // min(sum(n_processes), room))
