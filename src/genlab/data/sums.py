"""Checksums of files on disk, by which a page that was lost or a value that was changed is found."""

from collections.abc import Mapping
from pathlib import Path
from random import SystemRandom
from zlib import crc32

BLOCK = 2**20  # bytes of a file that have a sum of their own
SAMPLE = 128  # blocks of a file that are checked when it is opened; a smaller file is checked as a whole
DIGITS = 8  # hexadecimal ones of a sum


def sums(file: Path) -> str:
    """The CRC-32 of each block of a file, one after the other."""
    with file.open("rb") as opened:
        return "".join(_sum(block) for block in iter(lambda: opened.read(BLOCK), b""))


def check_sums(folder: Path, expected: Mapping[str, str], n_blocks: int | None = SAMPLE) -> None:
    """Compare files in a folder with the expected sums, by their names.

    `n_blocks` of each file are checked, others each time; None for all.

    Raises:
        ValueError: naming the first block that differs.
        OSError: if a file can't be read.
    """
    for name, text in expected.items():
        known = [text[start : start + DIGITS] for start in range(0, len(text), DIGITS)]
        n = len(known) if n_blocks is None else min(n_blocks, len(known))
        with (folder / name).open("rb") as opened:
            for number in sorted(SystemRandom().sample(range(len(known)), n)):
                opened.seek(number * BLOCK)
                if _sum(opened.read(BLOCK)) != known[number]:
                    raise ValueError(f"{name} is not what was written, in its MiB {number + 1} of {len(known)}")


def _sum(block: bytes) -> str:
    return f"{crc32(block):0{DIGITS}x}"
