"""The folder of a sweep: whose it is, and that one launcher at a time works in it."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from genlab.errors import UsageError

LOCK = ".sweep.lock"
OWNER = "sweep.yaml"


def claim(folder: Path, owner: dict[str, str]) -> Any:
    """Make a folder the sweep's, or take it up again.

    Args:
        folder: it is made.
        owner: what has to be equal for a sweep to go on: the job and the sweeper.

    Returns:
        The lock, which goes with this process, however it ends.

    Raises:
        UsageError: if something else is in the folder, or if another launcher is at work there.
    """
    from filelock import FileLock, Timeout

    _check_owner(folder, owner)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
        OmegaConf.save(OmegaConf.create(owner), folder / OWNER)
    except Timeout:
        raise UsageError(
            f"Another launcher is at work on the sweep {folder}: wait until it has ended, stop it, or choose another "
            "name with sweep=NAME."
        ) from None
    except OSError as error:
        raise UsageError(f"The sweep's folder {folder} can't be written to: {error}.") from error
    return lock


def _check_owner(folder: Path, owner: dict[str, str]) -> None:
    another = "choose another name with sweep=NAME, or another folder with hydra.sweep.dir=PATH."
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, so no sweep can be in it: {another}")
    file = folder / OWNER
    if file.is_file():
        found = OmegaConf.load(file)
        theirs = dict(found) if isinstance(found, DictConfig) else {}
        for key, mine in owner.items():
            if theirs.get(key) != mine:
                raise UsageError(f"{folder} holds a sweep whose {key} is {theirs.get(key)}, not {mine}: {another}")
    elif folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
        content = "a run" if (folder / "config.yaml").is_file() else "other files"
        raise UsageError(f"{folder} holds {content} and no sweep: {another}")
