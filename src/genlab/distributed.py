"""Work that is divided among the processes of a run, with the same result however many they are."""

import atexit
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Generator, Tensor, nn

Result = TypeVar("Result")


class Interrupted(Exception):
    """This run was asked to stop in the middle of divided work."""


def has_group() -> bool:
    """Whether this process is one of a group; not every PyTorch can be."""
    return dist.is_available() and dist.is_initialized()


def rank_and_world_size() -> tuple[int, int]:
    """Number of this process, and of all of them; (0, 1) where there is one alone."""
    return (dist.get_rank(), dist.get_world_size()) if has_group() else (0, 1)


def gathered(value: Result) -> list[Result]:
    """Return, on all processes, the values that each of them has handed in, in the order of their ranks."""
    _, world_size = rank_and_world_size()
    if world_size == 1:
        return [value]
    parts: list[Any] = [None] * world_size
    dist.all_gather_object(parts, value)
    return parts


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a tensor of the same shape on all processes; where there is one alone, the tensor itself."""
    _, world_size = rank_and_world_size()
    if world_size == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / world_size


def stream_of(rank: int) -> Generator:
    """A random stream of a process's own, out of the seed that all have: they would draw the same codes by that."""
    sequence = np.random.SeedSequence([torch.initial_seed(), rank])
    return Generator().manual_seed(int(sequence.generate_state(1)[0]))


@torch.no_grad()
def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace the gradients that parameters have by their means over all processes, in one message."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not has_group() or not gradients:
        return
    joint = torch.cat([gradient.flatten() for gradient in gradients]).div_(dist.get_world_size())
    dist.all_reduce(joint)
    for gradient, mean in zip(gradients, joint.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def broadcast_buffers(module: nn.Module) -> None:
    """Give all processes the buffers of the first one."""
    for buffer in module.buffers() if has_group() else ():
        dist.broadcast(buffer, src=0)


def in_batches(
    work: Callable[[int, slice], Result],
    n: int,
    batch_size: int,
    interrupted: Callable[[], bool] = lambda: False,
) -> Iterator[Result]:
    """Yield the results of all batches of n items in order, on every process; each batch is worked on by one of them.

    The batches, and so what is computed of them, do not depend on the number of processes.

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
        result = work(number, batches[number]) if number < len(batches) and not stop else None
        parts = gathered((stop, result))
        if any(stop for stop, _ in parts):
            raise Interrupted
        yield from (part for _, part in parts[: len(batches) - first])  # type: ignore[misc]


def leave_group_at_exit() -> None:
    """Leave the process group before Python ends, as threads of gloo may abort it then; Lightning does for NCCL."""
    atexit.register(lambda: dist.destroy_process_group() if has_group() else None)
