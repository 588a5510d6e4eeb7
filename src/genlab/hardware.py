"""What this machine offers: cores and memory, also within a container. Imports nothing heavy."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from genlab.errors import UsageError, causes

GPU, MACHINE = "The GPU", "The machine"
EXHAUSTED = {  # what PyTorch says in RuntimeErrors like all others
    "out of memory": GPU,
    "DefaultCPUAllocator: can't allocate memory": MACHINE,
    "Storage size calculation overflowed": MACHINE,  # a tensor larger than any memory
}
CGROUP = Path("/sys/fs/cgroup")


def n_cores() -> int:
    """Cores that this process may use, also in a container with a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read("cpu.max").partition(" ")
    return min(cores, max(1, int(quota) // int(period))) if quota.isdigit() else cores


def memory() -> int | None:
    """Bytes that this process may use; None where the system does not say."""
    try:
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    limit = _read("memory.max")
    return min(installed, int(limit)) if limit.isdigit() else installed


class OutOfMemory(UsageError):
    """A device or the machine has no memory left."""


def exhausted(error: BaseException) -> str | None:
    """What has no memory left, by what an error or one of its causes says: `GPU`, `MACHINE` or, for others, None."""
    for cause in causes(error):
        if device := next((device for sign, device in EXHAUSTED.items() if sign in str(cause)), None):
            return device
        if isinstance(cause, MemoryError):
            return MACHINE
    return None


@contextmanager
def explain_memory(remedy: Callable[[str], str]) -> Iterator[None]:
    """Say in one sentence that memory has run out within it.

    Args:
        remedy: the rest of the sentence, by what has run out.

    Raises:
        OutOfMemory: in place of Python's and PyTorch's errors.
    """
    try:
        yield
    except OutOfMemory:
        raise
    except Exception as error:
        if (device := exhausted(error)) is None:
            raise
        amount = re.search(r"allocate ([\d.]+ \w+)", " ".join(map(str, causes(error))))
        more = f" for another {amount[1]}" if amount else ""
        raise OutOfMemory(f"{device} has no memory left{more}{remedy(device)}") from error


def _read(name: str) -> str:
    try:
        return (CGROUP / name).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
