"""Where pictures and tables go that somebody asks for by a path."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from genlab.errors import UsageError, unknown
from genlab.files import reason
from genlab.images import save_png

FORMATS = {  # what Pillow calls them
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".bmp": "bmp",
    ".tif": "tiff",
    ".tiff": "tiff",
}


def picture_path(output: str | None, default: Path) -> Path:
    """Where a picture goes that `output=` asks for. Its folder is made.

    Args:
        output: a file, whose ending says the format (PNG without one), or a folder; None or nothing for the default.
        default: the file if nothing is said, whose name it also has in a folder.

    Raises:
        UsageError: for a format that there is not, or a folder that can't be made.
    """
    path = Path(output or default).expanduser()
    if output and (output.endswith(("/", "\\")) or path.is_dir()):
        path = path / default.name
    path = path if path.suffix else path.with_name(f"{path.name}.png")
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"output={output}: {unknown('format of pictures', path.suffix, list(FORMATS))}")
    with writing("output", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def writing(key: str, path: Path) -> Iterator[None]:
    """Say in a sentence that a place can't be written to.

    Args:
        key: by which it is chosen.
        path: the place.

    Raises:
        UsageError: where an OSError comes up within it.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} can't be written ({reason(error)}): choose another place with {key}=PATH.") from error


def save_picture(picture: Tensor, path: Path) -> None:
    """Write a picture (3, H, W) in [0, 1] in the format that its ending says.

    Raises:
        UsageError: if it can't be written.
    """
    with writing("output", path):
        save_png(picture, path, FORMATS[path.suffix.lower()])
