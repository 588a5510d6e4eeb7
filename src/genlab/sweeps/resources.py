"""How many runs there is room for at a time: GPUs and cores, lent to runs and given back."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from genlab.bounds import PositiveInt
from genlab.config.values import convert
from genlab.errors import UsageError
from genlab.hardware import memory, n_cores

BYTES_PER_PROCESS = 2 * 1024**3  # of memory, on the CPU
EVERY_DEVICE = ("auto", -1, "-1")
Waiting = TypeVar("Waiting")


class Demand(NamedTuple):
    """What a run needs: a core for each of its processes, and GPUs."""

    n_processes: int = 1
    n_gpus: int = 0


class Lease(NamedTuple):
    """What a run has been lent."""

    gpus: tuple[str, ...] = ()
    n_cores: int = 0


class Pool:
    """GPUs and cores.

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
        self._runs_on: Counter[str] = Counter()
        self._cores_lent = self._n_leases = 0

    def take(self, demand: Demand) -> Lease | None:
        """Lend what a run needs, the least busy GPUs first; None if that is not free."""
        if self._n_leases == self.n_jobs:
            return None
        lease = Lease()
        if demand.n_gpus:
            free = [gpu for gpu in self.gpus if self._runs_on[gpu] < self.runs_per_gpu]
            lease = Lease(gpus=tuple(sorted(free, key=self._runs_on.__getitem__)[: demand.n_gpus]))
            if len(lease.gpus) < demand.n_gpus:
                return None
        elif self.n_cores is not None:
            lease = Lease(n_cores=min(demand.n_processes, self.n_cores))  # more than there are: it has them all
            if lease.n_cores > self.n_cores - self._cores_lent:
                return None
        self._runs_on.update(lease.gpus)
        self._cores_lent += lease.n_cores
        self._n_leases += 1
        return lease

    def give_back(self, lease: Lease) -> None:
        """End a lease."""
        self._runs_on.subtract(lease.gpus)
        self._cores_lent -= lease.n_cores
        self._n_leases -= 1

    def take_next(self, waiting: list[tuple[Waiting, Demand]]) -> tuple[Waiting, Lease] | None:
        """Take the next run that may start out of those that wait, with its lease; None if none may now.

        One for which there is no room keeps those behind it from what it waits for: otherwise a run of four GPUs would
        wait until the last one of a single GPU has ended. Runs without a GPU pass one that waits for GPUs.
        """
        kept = set()
        for number, (run, demand) in enumerate(waiting):
            kind = demand.n_gpus > 0
            if kind not in kept:
                if (lease := self.take(demand)) is not None:
                    del waiting[number]
                    return run, lease
                kept.add(kind)
        return None


def check_number(key: str, value: Any) -> int | None:
    """Return `hydra.launcher.KEY` as a number.

    Raises:
        UsageError: unless it is a whole number of at least 1, or null.
    """
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
        n_processes = int(devices) if str(devices).isdigit() and accelerator == "cpu" else 1
        return Demand(max(1, n_processes))
    if devices in EVERY_DEVICE:
        devices = gpus_per_job or n_gpus
    if not str(devices).isdigit():
        raise UsageError(
            f"trainer.devices={devices} names GPUs, and a sweep hands them out: type a number of them, as in "
            "trainer.devices=2, and CUDA_VISIBLE_DEVICES=0,1 in front of the command for certain ones."
        )
    if int(devices) > n_gpus:
        raise UsageError(
            f"trainer.devices={devices} is more than the {n_gpus} GPU(s) here: type trainer.devices={n_gpus} or less."
        )
    return Demand(int(devices), int(devices))


def check_gpus(n: int | None, n_gpus: int, configs: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a `gpus_per_job` that can't be had, or that would bear on no run.

    Raises:
        UsageError: with what to type instead.
    """
    if n is None:
        return
    if not n_gpus:
        raise UsageError(f"hydra.launcher.gpus_per_job={n} asks for GPUs and PyTorch sees none here: leave it out.")
    if n > n_gpus:
        raise UsageError(f"hydra.launcher.gpus_per_job={n} is more than the {n_gpus} GPU(s) here.")
    devices = [(config.get("trainer") or {}).get("devices") for config in configs]
    if all(number not in EVERY_DEVICE and number != n for number in devices):
        raise UsageError(
            f"hydra.launcher.gpus_per_job={n} and trainer.devices={devices[0]} contradict each other: type trainer=ddp."
        )


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
    n_processes = sum(d.n_processes for d in demands)
    most = max((d.n_processes for d in demands), default=1)
    with_gpus = len(pool.gpus) if any(d.n_gpus for d in demands) else 0
    without = (pool.n_cores or 1) if not all(d.n_gpus for d in demands) else 0
    room = pool.n_jobs * most if pool.n_jobs else with_gpus + without
    return max(1, n_cores() // max(1, min(n_processes, room)))
