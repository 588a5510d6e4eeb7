"""Frames as a GIF or as a video."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from genlab.errors import UsageError
from genlab.modes.sheet import FONT_SIZE, GAP

SLOWEST = 10  # frames of a second of video: players stumble over fewer, so a frame that stays is repeated


@dataclass
class Film:
    """Frames, which are made while they are written.

    Args:
        frames: starts them anew; the size of the first is that of all.
        seconds: that each of them is shown.
    """

    frames: Callable[[], Iterator[Image.Image]]
    seconds: float

    def write(self, file: BinaryIO, ending: str) -> None:
        """Write a GIF that repeats, or an `.mp4`."""
        frames = self._of_one_size()
        if ending == ".gif":
            frames = map(_with_palette, frames)
            first = next(frames)
            duration = max(20, round(1000 * self.seconds))  # browsers show what is shorter as slowly as 0.1 s
            first.save(file, "GIF", save_all=True, append_images=frames, duration=duration, loop=0)
            return
        if find_spec("imageio") is None or find_spec("imageio_ffmpeg") is None:
            raise UsageError('A .mp4 needs a package that is not installed: type pip install -e ".[video]", or .gif.')
        import imageio.v2 as imageio

        times = max(1, round(SLOWEST * self.seconds))
        video = imageio.get_writer(file, ".mp4", fps=times / self.seconds, macro_block_size=2)
        with video:
            for frame in frames:
                for _ in range(times):
                    video.append_data(np.asarray(frame.convert("RGB")))

    def _of_one_size(self) -> Iterator[Image.Image]:
        frames = self.frames()
        first = next(frames)
        size = (first.width + first.width % 2, first.height + first.height % 2)  # videos have even sides
        yield from (ImageOps.pad(frame, size, Image.Resampling.NEAREST, "white") for frame in chain([first], frames))


def _with_palette(frame: Image.Image) -> Image.Image:
    """A frame in colour with the 256 colours that fit it best, not dithered: noise makes files large."""
    return frame if frame.mode == "L" else frame.quantize(256, dither=Image.Dither.NONE)


def labelled(picture: Image.Image, text: str) -> Image.Image:
    """A picture with a text below it, black on white."""
    larger = ImageOps.expand(picture, (0, 0, 0, FONT_SIZE + 2 * GAP), "white")
    ImageDraw.Draw(larger).text((GAP, picture.height + GAP // 2), text, "black", ImageFont.load_default(FONT_SIZE))
    return larger
