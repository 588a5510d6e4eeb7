"""A distance between images as a network sees them, to be descended."""

from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from genlab.metrics.encoders.efficientnet import EfficientNetLite0
from genlab.metrics.lpips import LPIPS, large_enough
from genlab.protocols import ImageDistance

SMALLEST = 32  # pixels a side that leave something of the coarsest map


class PerceptualDistance(ImageDistance):
    """How far two images are apart in the features of a fixed network, differentiable in both.

    `lpips` is LPIPS with AlexNet (Zhang et al. 2018), whose weights have to be there. `efficientnet_lite0` needs no
    download: the same formula (eq. 1 there) on the last map of each size of EfficientNet-Lite0, without weights that
    were fitted to what people see, and the mean over maps in place of their sum.

    It is no module, so that its weights are in no checkpoint and no optimiser.

    Args:
        network: `best` takes LPIPS where its weights are, and else the other one.
    """

    def __init__(self, network: Literal["best", "lpips", "efficientnet_lite0"] = "best") -> None:
        takes_lpips = network == "lpips" or (network == "best" and LPIPS.weights_path() is not None)
        self._make: Any = LPIPS if takes_lpips else EfficientNetLite0
        self.name = self._make.name

    @cached_property
    def network(self) -> Any:
        """The network, frozen; made when it is first needed, as a model may be tried out on no device."""
        return self._make().eval().requires_grad_(False)

    def __call__(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Compare images (B, C, H, W) in [-1, 1], twice, grey or colour: (B,), at least 0, without units.

        Images of less than 64 pixels a side are enlarged (bilinear), of less than 32 for EfficientNet-Lite0.
        """
        self.network.to(x.device)
        distance = self.network.distance if self._make is LPIPS else self._between_maps
        with torch.autocast(x.device.type, enabled=False):
            return distance(x.float(), x_hat.float())

    def _between_maps(self, x: Tensor, x_hat: Tensor) -> Tensor:
        maps, maps_hat = (self.network.maps(127.5 * (large_enough(images, SMALLEST) + 1)) for images in (x, x_hat))
        distances = [
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2))
            for a, b in zip(maps, maps_hat, strict=True)
        ]
        return torch.stack(distances).mean(0)
