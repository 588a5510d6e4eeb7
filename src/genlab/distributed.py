"""Work that is divided among the processes of a run, with the same result however many they are."""

import atexit
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch.distributed as dist

Result = TypeVar("Result")


class Interrupted(Exception):
    """Somebody has asked this run to stop in the middle of divided work."""


def rank_and_world_size() -> tuple[int, int]:
    """Number of this process and of all of them; (0, 1) where there is one alone."""
    return (dist.get_rank(), dist.get_world_size()) if _several() else (0, 1)


def gathered(mine: Result) -> list[Result]:
    """Return what each process hands in, in their order, on all of them."""
    if not _several():
        return [mine]
    parts: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(parts, mine)
    return parts


def in_batches(
    work: Callable[[int, slice], Result],
    n: int,
    batch_size: int,
    interrupted: Callable[[], bool] = lambda: False,
) -> Iterator[Result]:
    """Yield the results of all batches of n items in order, on every process; each batch is worked on by one of them.

    Batches are cut alike however many processes there are, and each item is in exactly one, so that nothing that is
    computed in this way depends on their number.

    Args:
        work: from a batch's number and its rows to a result, which should be small and lie on the CPU.
        n: number of items.
        batch_size: items in a batch; the last one may have fewer.
        interrupted: whether to stop; asked before every batch.

    Raises:
        Interrupted: on all processes, as soon as one of them is.
    """
    rank, world_size = rank_and_world_size()
    batches = [slice(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]
    for first in range(0, len(batches), world_size):
        number = first + rank
        stop = interrupted()
        mine = work(number, batches[number]) if number < len(batches) and not stop else None
        parts = gathered((stop, mine))
        if any(stop for stop, _ in parts):
            raise Interrupted
        yield from (part for _, part in parts[: len(batches) - first])  # type: ignore[misc]


def leave_group_at_exit() -> None:
    """Have this process leave its group before Python ends, or threads of gloo may abort it then.

    (Lightning sees to it for NCCL alone.)
    """
    atexit.register(_leave_group)


def _leave_group() -> None:
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
