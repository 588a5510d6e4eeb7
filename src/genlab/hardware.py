"""What this machine offers: cores and memory, also within a container. Imports nothing heavy."""

import os
from pathlib import Path

CPU_EXHAUSTED = "DefaultCPUAllocator: can't allocate memory"  # in a RuntimeError like all others
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


def _read(name: str) -> str:
    try:
        return (CGROUP / name).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
