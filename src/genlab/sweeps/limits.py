"""How many cells run at a time, and what each of them takes."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from genlab.config.values import convert
from genlab.errors import UsageError, whole_number
from genlab.hardware import memory, n_cores
from genlab.sweeps.resources import Demand, Pool

BYTES_PER_PROCESS = 2 * 1024**3  # of memory, on the CPU
EVERY_DEVICE = ("auto", -1, "-1")


class Limits(NamedTuple):
    """What the user has said."""

    n_jobs: int | None = None
    gpus_per_job: int | None = None

    @classmethod
    def checked(cls, n_jobs: Any, gpus_per_job: Any) -> "Limits":
        """Raise a UsageError that names the key, unless both are whole numbers of at least 1, or None."""
        given = {"n_jobs": n_jobs, "gpus_per_job": gpus_per_job}
        limits = cls(**{key: convert(f"hydra.launcher.{key}", value, int | None) for key, value in given.items()})
        for key, value in limits._asdict().items():
            if value is not None:
                whole_number(f"hydra.launcher.{key}", value)
        return limits


def visible_gpus(n_gpus: int, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Name the GPUs that PyTorch sees, as CUDA_VISIBLE_DEVICES names them."""
    named = [name.strip() for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (named or [str(number) for number in range(n_gpus)])[:n_gpus]


def demand(config: Mapping[str, Any], n_gpus: int, gpus_per_job: int | None) -> Demand:
    """What a cell takes, by its trainer.

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


def check_gpus(limits: Limits, n_gpus: int, configs: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a `gpus_per_job` that can't be had, or that would bear on no cell.

    Raises:
        UsageError: with what to type instead.
    """
    n = limits.gpus_per_job
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


def pool(limits: Limits, gpus: Sequence[str], demands: Sequence[Demand]) -> Pool:
    """Work out how many cells there is room for."""
    n_jobs, fewest = limits.n_jobs, min((d.n_gpus for d in demands if d.n_gpus), default=1)
    sharing = math.ceil((n_jobs or 1) * fewest / len(gpus)) if gpus else 1
    if n_jobs:
        return Pool(gpus, None, n_jobs, sharing)
    room = (memory() or math.inf) // BYTES_PER_PROCESS
    return Pool(gpus, int(max(1, min(n_cores(), room))))


def n_threads(pool: Pool, demands: Sequence[Demand], environment: Mapping[str, str] = os.environ) -> int:
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
