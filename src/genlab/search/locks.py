"""Who may work in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genlab.locks import lock_file


@contextmanager
def lock_sweep(folder: Path) -> Iterator[None]:
    """Keep a second search out of a sweep's folder.

    Raises:
        UsageError: if there is one already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"Another process is searching in {folder}: wait until it has ended, or stop it."
    with lock_file(folder / ".search.lock", busy):
        yield


def wait_for_lock(run_dir: Path) -> None:
    """Wait for a process that goes on with a trial after its search was killed."""
    file = run_dir / ".lock"
    busy = f"A process of an earlier start is still training in {run_dir}: wait until it has ended, or stop it."
    if file.exists():
        with lock_file(file, busy, waiting=f"{busy.partition(':')[0]}: the search waits for it."):
            pass
