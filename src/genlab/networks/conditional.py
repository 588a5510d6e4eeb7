"""Networks that are told labels: each wraps any map between shapes and takes labels as a further argument `y`.

A label is a vector by then (`LabelVectors`), zero where an image has none, and an embedding is linear in it. So no
label is an embedding of zeros, to which networks get used where labels are missing or left out.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from genlab.conditioning import given

PLACES = 8  # of the coarse map that a label is on an image, a side
LONGEST = 64  # of a vector that stands beside a code as it is, unless a width is asked for
OFFERED = ("features", "with_indices", "keeps_indices")  # what a wrapped network may have besides `forward`


class LabelVectors(Protocol):
    """What labels are to a network."""

    dim: int

    def vectors(self, y: Tensor) -> Tensor:
        """Map labels (B,) or (B, entries) to float32 vectors (B, dim) of a length of about 1, zero for no label."""


def conditional(
    make: Callable[..., nn.Module],
    in_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    labels: LabelVectors,
    width: int | None,
    is_image: bool,
    **options: Any,
) -> nn.Module:
    """Make a network that is told labels, in the way that fits its shapes and what it offers.

    A discriminator, which has `features` and a `head` for one logit, gets a projection. The label modulates what else
    looks at an image, at its features, or if it has none stands on the image. Decoders find it beside their code.

    Args:
        make: makes a network from its shapes.
        in_shape, out_shape: of one input and one output.
        labels: what labels are.
        width: of an embedding beside a code; None for the vector itself, of at most 64 entries, and an embedding of as
            many where it is longer.
        is_image: whether the input is one.
        options: further ones of the network.
    """
    network = make(in_shape, out_shape, **options) if is_image or out_shape == (1,) else None
    if network is not None and out_shape == (1,) and _has_parts(network):
        return Projection(network, in_shape, labels)
    if network is not None and is_image and _has_parts(network) and not hasattr(network, "with_indices"):
        return Modulated(network, in_shape, labels)
    if network is not None and is_image:
        return OnImage(network, in_shape, labels)
    width = LONGEST if width is None and labels.dim > LONGEST else width
    return Beside(make((in_shape[0] + (width or labels.dim), *in_shape[1:]), out_shape, **options), labels, width)


class Conditional(nn.Module):
    """A network behind `tell`, which joins input and labels. `y=None` stands for images without a label.

    Args:
        network: a map between shapes.
        labels: what labels are. They are held as a method, so that their tensors are no part of the network.
    """

    def __init__(self, network: nn.Module, labels: LabelVectors) -> None:
        super().__init__()
        self.network = network
        self.vectors, self.dim = labels.vectors, labels.dim

    def tell(self, x: Tensor, y: Tensor) -> Tensor:
        """Join inputs (B, ...) and label vectors (B, dim)."""
        return x

    def _told(self, x: Tensor, y: Tensor | None) -> Tensor:
        return self.tell(x, self._vectors(x, y))

    def _vectors(self, x: Tensor, y: Tensor | None) -> Tensor:
        return self.vectors(y) if y is not None else torch.zeros(x.shape[0], self.dim, device=x.device)

    def __getattr__(self, name: str) -> Any:
        """What the network offers besides `forward`, told labels too."""
        if name not in OFFERED:
            return super().__getattr__(name)
        found = getattr(self.network, name)
        return (lambda x, *more, y=None: found(self._told(x, y), *more)) if callable(found) else found

    def forward(self, x: Tensor, *more: Any, y: Tensor | None = None) -> Tensor:
        """Map inputs (B, *in_shape) and labels (B,) or (B, entries) to (B, *out_shape)."""
        made: Tensor = self.network(self._told(x, y), *more)
        return made


class Beside(Conditional):
    """The label beside a code: as further entries, or as constant planes of a code with a shape.

    They are its vector, scaled to a mean square of 1 as the entries of a code have: the network's first layer is linear
    in it, and an embedding before that would cost the gradient in the input, which a generator needs nothing else for.

    Args:
        network: a map from codes with as many more entries or planes.
        labels: what labels are.
        width: of a learned embedding in place of the vector.
    """

    def __init__(self, network: nn.Module, labels: LabelVectors, width: int | None = None) -> None:
        super().__init__(network, labels)
        self.embedding = None if width is None else _embedding(labels.dim, width)

    def tell(self, x: Tensor, y: Tensor) -> Tensor:
        beside = y * self.dim**0.5 if self.embedding is None else self.embedding(y)
        planes = beside[(..., *[None] * (x.ndim - 2))].to(x).expand(-1, -1, *x.shape[2:])
        return torch.cat([x, planes], 1)


class OnImage(Conditional):
    """An embedding of the label on an image: a coarse map of its own, enlarged, is added to each channel.

    For a convolution that is a bias which depends on label and place; the network keeps its shapes. Its gradient goes
    through the whole network, which takes a tenth of a step: `Modulated` is cheaper.
    """

    def __init__(self, network: nn.Module, in_shape: tuple[int, ...], labels: LabelVectors) -> None:
        super().__init__(network, labels)
        self.n_channels = in_shape[0]
        self.embedding = _embedding(labels.dim, self.n_channels * PLACES**2)

    def tell(self, x: Tensor, y: Tensor) -> Tensor:
        coarse = self.embedding(y).unflatten(1, (self.n_channels, PLACES, PLACES))
        return x + F.interpolate(coarse, x.shape[2:], mode="bilinear", antialias=False).to(x)


class Modulated(Conditional):
    """head((1 + g_y) f(x) + b_y): scales and shifts of the label for each channel of the features (Perez et al. 2018).

    Args:
        network: has `features` f and a `head`.
        in_shape: of one input.
        labels: what labels are.
    """

    def __init__(self, network: Any, in_shape: tuple[int, ...], labels: LabelVectors) -> None:
        super().__init__(network, labels)
        self.modulation = _embedding(labels.dim, 2 * _n_features(network, in_shape), std=0.1)

    def forward(self, x: Tensor, *more: Any, y: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W) and labels (B,) or (B, entries) to (B, *out_shape)."""
        network: Any = self.network
        features = network.features(x, *more)
        scale, shift = self.modulation(self._vectors(x, y))[(..., *[None] * (features.ndim - 2))].chunk(2, 1)
        made: Tensor = network.head(features * (1 + scale) + shift)
        return made


class Projection(Conditional):
    """D(x, y) = head(f(x)) + <V y, sum of f(x) over all places> (Miyato and Koyama 2018, eq. 3).

    V has spectral normalisation if the network has it. It starts near 0, so that D begins as one of images alone. A
    discriminator of patches adds the product with the mean of f to the logit of each patch.

    Args:
        network: has `features` f and a `head` for one logit.
        in_shape: of one input.
        labels: what labels are.
    """

    def __init__(self, network: Any, in_shape: tuple[int, ...], labels: LabelVectors) -> None:
        super().__init__(network, labels)
        self.projection: nn.Module = _embedding(labels.dim, _n_features(network, in_shape), std=0.02)
        if any(map(is_parametrized, network.modules())):
            spectral_norm(self.projection)

    def forward(self, x: Tensor, *more: Any, y: Tensor | None = None) -> Tensor:
        """Map inputs (B, *in_shape) and labels (B,) or (B, entries) to logits (B, 1), or of patches (B, 1, h, w)."""
        network: Any = self.network
        features = network.features(x, *more)
        logits: Tensor = network.head(features)
        places = features.flatten(2) if features.ndim > 2 else features[:, :, None]
        pooled = places.sum(2) if logits.ndim == 2 else places.mean(2)
        products = (self.projection(self._vectors(x, y)) * pooled).sum(1)
        return logits + products.view(-1, *[1] * (logits.ndim - 1))


class LabelledCritic:
    """D with the labels of a batch: those of its reals, and of as many fakes or a multiple, in the same order."""

    def __init__(self, discriminator: nn.Module, y: Tensor) -> None:
        self.discriminator, self.y = discriminator, y

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Map inputs (B, ...) to logits (B, 1)."""
        logits: Tensor = self.discriminator(*inputs, **self._given(inputs[0]))
        return logits

    def forward(self, *inputs: Tensor) -> Tensor:
        """The same with the uncompiled D."""
        logits: Tensor = self.discriminator.forward(*inputs, **self._given(inputs[0]))
        return logits

    def _given(self, x: Tensor) -> dict[str, Any]:
        return given(self.y.repeat(len(x) // len(self.y), *[1] * (self.y.ndim - 1)))


def critic(discriminator: nn.Module, y: Tensor | None) -> Any:
    """D as a map from inputs alone, given the labels of the batch, or None where there are none."""
    return discriminator if y is None else LabelledCritic(discriminator, y)


def _has_parts(network: nn.Module) -> bool:
    return hasattr(network, "features") and hasattr(network, "head")


def _embedding(dim: int, width: int, std: float = 1.0) -> nn.Linear:
    layer = nn.Linear(dim, width, bias=False)
    nn.init.normal_(layer.weight, std=std)
    return layer


@torch.no_grad()
def _n_features(network: Any, in_shape: tuple[int, ...]) -> int:
    """Channels of a network's features, tried out on one input."""
    was_training = network.training
    network.eval()
    n: int = network.features(torch.zeros(1, *in_shape)).shape[1]
    network.train(was_training)
    return n
