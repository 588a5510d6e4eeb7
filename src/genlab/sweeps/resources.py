"""Who may start: GPUs and cores, lent to cells and given back."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Demand(NamedTuple):
    """What a cell needs: a core for each of its processes, and GPUs."""

    n_processes: int = 1
    n_gpus: int = 0


class Lease(NamedTuple):
    """What a cell has been lent."""

    gpus: tuple[str, ...] = ()
    n_cores: int = 0


class Pool:
    """GPUs and cores.

    Args:
        gpus: their names, as in CUDA_VISIBLE_DEVICES.
        n_cores: for cells without a GPU; None where their number does not matter.
        n_jobs: cells at a time; None for as many as there is room for.
        cells_per_gpu: how many cells may share one.
    """

    def __init__(
        self, gpus: Sequence[str] = (), n_cores: int | None = None, n_jobs: int | None = None, cells_per_gpu: int = 1
    ) -> None:
        self.gpus, self.n_cores, self.n_jobs, self.cells_per_gpu = tuple(gpus), n_cores, n_jobs, cells_per_gpu
        self._cells_on: Counter[str] = Counter()
        self._cores_lent = self._n_leases = 0

    def take(self, demand: Demand) -> Lease | None:
        """Lend what a cell needs, the least busy GPUs first; None if that is not free."""
        if self._n_leases == self.n_jobs:
            return None
        lease = self._gpus(demand) if demand.n_gpus else self._cores(demand)
        if lease is not None:
            self._cells_on.update(lease.gpus)
            self._cores_lent += lease.n_cores
            self._n_leases += 1
        return lease

    def give_back(self, lease: Lease) -> None:
        """End a lease."""
        self._cells_on.subtract(lease.gpus)
        self._cores_lent -= lease.n_cores
        self._n_leases -= 1

    def _gpus(self, demand: Demand) -> Lease | None:
        free = [gpu for gpu in self.gpus if self._cells_on[gpu] < self.cells_per_gpu]
        free.sort(key=self._cells_on.__getitem__)
        return Lease(gpus=tuple(free[: demand.n_gpus])) if len(free) >= demand.n_gpus else None

    def _cores(self, demand: Demand) -> Lease | None:
        if self.n_cores is None:
            return Lease()
        n = min(demand.n_processes, self.n_cores)  # more processes than cores: they have them all
        return Lease(n_cores=n) if n <= self.n_cores - self._cores_lent else None


class Queue(Generic[Key]):
    """Cells that wait, in order.

    A cell for which there is no room keeps those behind it from what it waits for: otherwise a cell of four GPUs would
    wait until the last one of a single GPU has ended. Cells without a GPU pass one that waits for GPUs.

    Args:
        pool: what is lent.
        waiting: cells and what they need.
    """

    def __init__(self, pool: Pool, waiting: Iterable[tuple[Key, Demand]]) -> None:
        self.pool, self._waiting = pool, list(waiting)

    def next(self) -> tuple[Key, Lease] | None:
        """Take the next cell that may start out of the queue, with its lease; None if none may now."""
        kept = set()
        for number, (key, demand) in enumerate(self._waiting):
            kind = demand.n_gpus > 0
            if kind not in kept:
                lease = self.pool.take(demand)
                if lease is not None:
                    del self._waiting[number]
                    return key, lease
                kept.add(kind)
        return None
