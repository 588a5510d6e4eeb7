"""Where pictures and tables go that are asked for by a path."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genlab.errors import UsageError, unknown
from genlab.files import reason

FORMATS = [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"]


def picture_path(output: str | None, default: Path) -> Path:
    """Where a picture goes that `output=` asks for. Its folder is made.

    Args:
        output: a file, whose ending says the format (PNG without one), or a folder; None or nothing for the default.
        default: the file if nothing is said, whose name it also has in a folder.

    Raises:
        UsageError: for an unknown format, or a folder that can't be made.
    """
    path = Path(output or default).expanduser()
    if output and (output.endswith(("/", "\\")) or path.is_dir()):
        path = path / default.name
    path = path if path.suffix else path.with_name(f"{path.name}.png")
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"output={output}: {unknown('format of pictures', path.suffix, FORMATS)}")
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
