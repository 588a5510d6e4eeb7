"""The folder that an export writes: whole or not at all, and nothing in it is lost by mistake."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from genlab.errors import UsageError

FILES = (
    "README.md",
    "config.json",
    "model.safetensors",
    "networks.py",
    "generate.py",
    "samples.png",
    "decoder.onnx",
    "encoder.onnx",
    "codes.npz",
)


def check_folder(folder: Path, overwrite: bool) -> None:
    """Raise a UsageError unless an export may be written to a folder."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"to={folder} is a file: type the folder to write, as to=FOLDER.")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise UsageError(
            f"to={folder} holds files: type another to=FOLDER, or overwrite=true, which replaces what an export writes."
        )


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write `FILES` to, which take the place of those of an earlier export at the end.

    Other files in `folder` stay. After an error all of them do, and what was to be written is gone.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(dir=folder, prefix=".unfinished-") as name:
            unfinished = Path(name)
            yield unfinished
            for file in FILES:
                (folder / file).unlink(missing_ok=True)
                if (unfinished / file).exists():
                    (unfinished / file).replace(folder / file)
    except BaseException:
        if is_new:
            folder.rmdir()
        raise
