"""What several networks share: geometry and widths of the stages, layers, initialisation."""

from collections.abc import Callable
from math import prod
from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from genlab.bounds import LARGEST, SMALLEST, NonNegativeFloat
from genlab.errors import UsageError

ImageShape = tuple[int, int, int]
Norm = Callable[[int], nn.Module]  # from a number of channels
Activation = Callable[[], nn.Module]

DEEPEST = 1000  # layers, or blocks at each size: a number may come from elsewhere, and each takes time
Depth = Annotated[int, Interval(ge=1, le=DEEPEST)]


class DrawnBatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose scales are drawn from N(mean, std^2) and do not all start at 1 (DCGAN's code).

    Args:
        channels: of the map.
        mean, std: of the scales.
    """

    def __init__(self, channels: int, mean: float = 1.0, std: NonNegativeFloat = 0.02) -> None:
        super().__init__(channels)
        nn.init.normal_(self.weight, mean, std)


def stage_sizes(image_shape: ImageShape, coarsest: int = 4) -> list[tuple[int, int]]:
    """Return the (height, width) of an image and of each halving of it (rounded down), the finest first.

    Halving goes on while both sides stay at `coarsest` pixels or more: 28 gives 28, 14, 7 and 64 gives 64, ..., 4.

    Raises:
        UsageError: if a side is below 8 or above 512 pixels, or the channels are neither 1 nor 3.
    """
    channels, height, width = image_shape
    if channels not in (1, 3) or not all(SMALLEST <= side <= LARGEST for side in (height, width)):
        raise UsageError(
            f"The image shape {tuple(image_shape)} (channels, height, width) does not fit: "
            f"data.channels must be 1 or 3 and data.size from {SMALLEST} to {LARGEST}."
        )
    sizes = [(height, width)]
    while min(sizes[-1]) // 2 >= coarsest:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes


def stages_between(image_shape: ImageShape, shape: tuple[int, ...], coarsest: int = 4) -> list[tuple[int, int]]:
    """Return the sizes from that of an image to that of maps (C, h, w), or to `coarsest` pixels for any other shape.

    Raises:
        UsageError: see `stage_sizes`, and for maps of another size than that of the image or of one of its halvings.
    """
    if len(shape) != 3:
        return stage_sizes(image_shape, coarsest)
    sizes = stage_sizes(image_shape, coarsest=1)
    if shape[1:] not in sizes:
        sides = [f"{h},{w}" for h, w in sizes[1:]]
        raise UsageError(
            f"Maps of {shape[1]}x{shape[2]} do not fit images of {image_shape[1]}x{image_shape[2]} pixels, whose "
            f"sides are halved: type {' or '.join(sides)} as the sides in model.latent_shape=[4,{sides[0]}]."
        )
    return sizes[: sizes.index((shape[1], shape[2])) + 1]


def stage_widths(n_stages: int, width: int, max_width: int) -> list[int]:
    """Channels of each stage, the finest first: doubled at every further one up to `max_width`."""
    return [min(width * 2**stage, max_width) for stage in range(n_stages)]


def activated(channels: int, norm: Norm | None, activation: Activation) -> list[nn.Module]:
    """The normalisation, if there is one, and the non-linearity."""
    return [*([norm(channels)] if norm is not None else []), activation()]


def conv3x3(c_in: int, c_out: int) -> nn.Conv2d:
    """A convolution that keeps the size of a map."""
    return nn.Conv2d(c_in, c_out, 3, padding=1)


def fully_connected(
    in_shape: tuple[int, ...], out_shape: tuple[int, ...], linear: Callable[[int, int], nn.Module] = nn.Linear
) -> list[nn.Module]:
    """One linear layer from (B, *in_shape) to (B, *out_shape)."""
    return [nn.Flatten(), linear(prod(in_shape), prod(out_shape)), nn.Unflatten(1, out_shape)]


def are_maps(in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> bool:
    """Whether both are maps (C, h, w) of the same size."""
    return len(in_shape) == len(out_shape) == 3 and in_shape[1:] == out_shape[1:]


def connected(
    in_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    linear: Callable[[int, int], nn.Module] = nn.Linear,
    conv: Callable[[int, int], nn.Module] = conv3x3,
) -> list[nn.Module]:
    """A 3x3 convolution from (B, C, h, w) to other channels of the same size, or one linear layer for other shapes."""
    if are_maps(in_shape, out_shape):
        return [conv(in_shape[0], out_shape[0])]
    return fully_connected(in_shape, out_shape, linear)


def init_normal(network: nn.Module, std: float | None) -> None:
    """Draw all convolution and linear weights from N(0, std^2) and zero their biases (DCGAN, Radford et al. 2015).

    None leaves them as PyTorch has drawn them.
    """
    if std is None:
        return
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def add_spectral_norm(network: nn.Module) -> None:
    """Divide each convolution and linear weight by its largest singular value (Miyato et al. 2018, section 2.1).

    As in the source a convolution's weight counts as the matrix (c_out, c_in * kernel height * kernel width), and one
    step of power iteration per training forward keeps the estimate up to date. Initialise the weights before: a
    weight of zeros can't be normalised and becomes NaN.
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            spectral_norm(layer)


class Patches(nn.Module):
    """The patches of an image with half of its sides, at every quarter of them."""

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W), sides of at least 4, to their patches as vectors, (B, C * H/2 * W/2, 9 or more)."""
        height, width = x.shape[-2:]
        return F.unfold(x, (height // 2, width // 2), stride=(height // 4, width // 4))
