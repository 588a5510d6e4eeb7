"""What may be found damaged when a run is to go on after it was killed."""

import signal
from pathlib import Path
from random import Random

from fault import Fault
from training import INTERVAL, Training


class Killed(Fault):
    """SIGKILL, and then something is done to the files."""

    def strike(self, run: Training, numbers: Random) -> None:
        """Kill, then damage."""
        run.process.kill()
        run.ends(-signal.SIGKILL)
        self.damage(run, numbers)

    def damage(self, run: Training, numbers: Random) -> None:
        """What is done."""
        raise NotImplementedError


class Truncated(Killed):
    """`last.ckpt` is cut off."""

    name, may_lose = "last.ckpt truncated", 2 * INTERVAL

    def damage(self, run: Training, numbers: Random) -> None:
        """Leave a part of it."""
        file = run.folder / "checkpoints" / "last.ckpt"
        if file.is_file():
            cut(file, numbers.random())


class Flipped(Killed):
    """A byte of `last.ckpt` is another one."""

    name, may_lose = "last.ckpt flipped", 2 * INTERVAL

    def damage(self, run: Training, numbers: Random) -> None:
        """Change one anywhere."""
        file = run.folder / "checkpoints" / "last.ckpt"
        if file.is_file():
            data = bytearray(file.read_bytes())
            data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)
            replace(file, bytes(data))


class SummaryDamaged(Killed):
    """`summary.json` is cut off, as a power cut may leave it."""

    name = "summary.json damaged"

    def damage(self, run: Training, numbers: Random) -> None:
        """Leave a part of it."""
        cut(run.folder / "summary.json", numbers.random())


class HalfRow(Killed):
    """`metrics.csv` ends in the middle of a row."""

    name = "metrics.csv half a row"

    def damage(self, run: Training, numbers: Random) -> None:
        """Leave a part of its last row."""
        file = run.folder / "metrics.csv"
        data = file.read_bytes()
        start = data.rstrip(b"\n\r").rfind(b"\n") + 1
        file.write_bytes(data[: numbers.randrange(start + 1, len(data.rstrip()))])


class CacheTruncated(Killed):
    """A file of the decoded images is cut off."""

    name, settings = "data cache truncated", ("gan",)

    def damage(self, run: Training, numbers: Random) -> None:
        """Leave a part of one of them."""
        files = sorted((run.folder.parent / f"{run.folder.name}_data" / "prepared").rglob("*.npy"))
        cut(numbers.choice(files), numbers.random())


def cut(file: Path, share: float) -> None:
    """Leave a part of a file."""
    data = file.read_bytes()
    replace(file, data[: int(share * len(data))])


def replace(file: Path, data: bytes) -> None:
    """Give a file another content, and not to other names of it: `previous.ckpt` is a link to what `last.ckpt` was."""
    file.unlink()
    file.write_bytes(data)
