"""A sweep's folder, in which one launcher is at work at a time."""

from contextlib import ExitStack
from pathlib import Path

from genlab.errors import UsageError
from genlab.locks import lock_file


def lock_sweep(folder: Path) -> ExitStack:
    """Make a sweep's folder; returns what holds its lock until it is closed, or until this process ends.

    Raises:
        UsageError: if the folder is that of a run, if it can't be made, or if another launcher is at work there.
    """
    if (folder / "config.yaml").is_file():
        raise UsageError(
            f"{folder} holds a run and no sweep: choose another name with sweep=NAME, or another folder with "
            "hydra.sweep.dir=PATH."
        )
    busy = (
        f"Another launcher is at work on the sweep {folder}: wait until it has ended, stop it, or choose another name "
        "with sweep=NAME."
    )
    lock = ExitStack()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.enter_context(lock_file(folder / ".sweep.lock", busy))
    except OSError as error:
        raise UsageError(f"The sweep's folder {folder} can't be written to: {error}.") from error
    return lock
