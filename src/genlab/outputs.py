"""Where pictures and tables go that are asked for by a path."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from genlab.errors import UsageError, unknown
from genlab.files import reason

PICTURES = [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"]


def output_path(output: str | None, default: Path, formats: Sequence[str] = ("png",), overwrite: bool = False) -> Path:
    """Where that goes which `output=` asks for. Its folder is made.

    Args:
        output: a file, or a folder for it; None or nothing for the default.
        default: the file if nothing is said, without its ending; in a folder it has the same name.
        formats: endings that the file may have, the first of which it gets if it has none; `png` stands for all kinds
            of pictures.
        overwrite: whether the file may exist.

    Raises:
        UsageError: for another ending, a file that exists, or a folder that can't be made.
    """
    path = Path(output or default).expanduser()
    if output and (output.endswith(("/", "\\")) or path.is_dir()):
        path = path / default.name
    path = path if path.suffix else path.with_name(f"{path.name}.{formats[0]}")
    endings = [ending for format in formats for ending in (PICTURES if format == "png" else [f".{format}"])]
    if path.suffix.lower() not in endings:
        raise UsageError(f"output={output}: {unknown('ending of a file', path.suffix, endings)}")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists: type overwrite=true to replace it, or another output=PATH.")
    with writing("output", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def writing(key: str, path: Path) -> Iterator[None]:
    """Raise a UsageError in place of an OSError: the place, which is chosen by a key, can't be written to."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} can't be written ({reason(error)}): choose another place with {key}=PATH.") from error
