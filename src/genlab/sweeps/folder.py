"""The folder of a sweep: whose it is, and that one launcher at a time works in it."""

import logging
from contextlib import ExitStack
from pathlib import Path

from omegaconf import OmegaConf

from genlab.errors import UsageError
from genlab.files import write_text
from genlab.foreign import Unreadable, parse_yaml, printable, read_mapping

LOCK = ".sweep.lock"
OWNER = "sweep.yaml"

log = logging.getLogger(__name__)


def claim(folder: Path, owner: dict[str, str]) -> ExitStack:
    """Make a folder the sweep's, or take it up again.

    Args:
        folder: it is made.
        owner: what has to be equal for a sweep to go on: the job and the sweeper.

    Returns:
        What holds the lock until it is closed; it goes with this process, however that ends.

    Raises:
        UsageError: if something else is in the folder, or if another launcher is at work there.
    """
    from genlab.locks import lock_file

    _check_owner(folder, owner)
    busy = (
        f"Another launcher is at work on the sweep {folder}: wait until it has ended, stop it, or choose another name "
        "with sweep=NAME."
    )
    held = ExitStack()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held.enter_context(lock_file(folder / LOCK, busy))
        write_text(folder / OWNER, OmegaConf.to_yaml(OmegaConf.create(owner)))
    except OSError as error:
        raise UsageError(f"The sweep's folder {folder} can't be written to: {error}.") from error
    return held


def _check_owner(folder: Path, owner: dict[str, str]) -> None:
    another = "choose another name with sweep=NAME, or another folder with hydra.sweep.dir=PATH."
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, so no sweep can be in it: {another}")
    file = folder / OWNER
    if file.is_file():
        try:
            theirs = read_mapping(folder, OWNER, parse_yaml, printable)
        except Unreadable as reason:
            log.warning("%s: %s. It is written again.", folder, reason)
            return
        for key, mine in owner.items():
            if theirs.get(key) != mine:
                raise UsageError(f"{folder} holds a sweep whose {key} is {theirs.get(key)}, not {mine}: {another}")
    elif folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
        content = "a run" if (folder / "config.yaml").is_file() else "other files"
        raise UsageError(f"{folder} holds {content} and no sweep: {another}")
