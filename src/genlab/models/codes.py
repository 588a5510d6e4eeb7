"""The shape of a code."""

from collections.abc import Iterable, Sequence
from math import prod

from genlab.bounds import LARGEST, SMALLEST
from genlab.errors import UsageError
from genlab.networks.layers import ImageShape

LATENT_CHANNELS = 4  # maps of a code of which only the sides are asked for, as in Rombach et al. 2022


def code_shape(
    image_shape: ImageShape,
    latent_dim: int | None = None,
    latent_shape: Iterable[int] | None = None,
    downsample: int | None = None,
    latent_channels: int | None = None,
) -> tuple[int, ...]:
    """Return the shape of one code, of which one of three is to be given.

    Args:
        image_shape: (C, H, W).
        latent_dim: length of a code that is a vector.
        latent_shape: of a code of maps, (C, h, w); (n,) is a vector.
        downsample: how many times as long the sides of an image are as those of its code, of `latent_channels` maps.
        latent_channels: with `downsample`; None for `LATENT_CHANNELS`.

    Raises:
        UsageError: for none or several of the three, for a shape of two sides, for a code of maps that is larger than
            the image, or where `downsample` does not divide the image's sides.
    """
    shape = list(latent_shape) if latent_shape is not None else None
    asked = {"latent_dim": latent_dim, "latent_shape": shape and _typed(shape), "downsample": downsample}
    given = [f"model.{key}={value}" for key, value in asked.items() if value is not None]
    if not given:
        raise UsageError(
            "A code has no shape: type model.latent_dim=10, model.latent_shape=[4,8,8] or model.downsample=8."
        )
    if len(given) > 1:
        raise UsageError(
            f"{' and '.join(given)} are given, and a code has one shape: type one alone, and null for that of a file."
        )
    if latent_dim is not None:
        return (latent_dim,)
    if shape is None:
        assert downsample is not None
        shape = [latent_channels or LATENT_CHANNELS, *_divided(image_shape[1:], downsample)]
    if len(shape) not in (1, 3):
        raise UsageError(
            f"model.latent_shape={_typed(shape)} is not possible: a code is maps, as [4,8,8], or a vector, as [10]."
        )
    if len(shape) == 3:
        _check_size(shape, image_shape)
    return tuple(shape)


def _divided(sides: Sequence[int], factor: int) -> list[int]:
    """The sides of a code that are a whole fraction of those of an image."""
    if any(side % factor for side in sides):
        below = sides[0] // factor * factor
        sizes = [size for size in (below, below + factor) if SMALLEST <= size <= LARGEST]
        factors = [n for n in range(2, min(sides) + 1) if not any(side % n for side in sides)]
        instead = [f"model.downsample={n}" for n in factors] + [f"data.size={size}" for size in sizes]
        raise UsageError(
            f"model.downsample={factor} does not divide the sides of images of {'x'.join(map(str, sides))} pixels: "
            f"type one of {', '.join(instead) or 'model.latent_dim=10'}."
        )
    return [side // factor for side in sides]


def _check_size(shape: Sequence[int], image_shape: ImageShape) -> None:
    is_wide = any(own > side for own, side in zip(shape[1:], image_shape[1:], strict=True))
    if is_wide or prod(shape) > prod(image_shape):
        raise UsageError(
            f"model.latent_shape={_typed(shape)} is a code larger than the image, which is {_typed(image_shape)}: type "
            "fewer channels or shorter sides."
        )


def _typed(shape: Iterable[int]) -> str:
    return f"[{','.join(map(str, shape))}]"
