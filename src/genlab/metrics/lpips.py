"""The learned perceptual distance between two images."""

from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genlab.errors import UsageError
from genlab.images import grey_to_rgb, to_float, to_uint8
from genlab.metrics.encoders.weights import download_folder, sha256_of

SMALLEST = 64  # pixels a side of the patches that the linear heads were fitted to


class LPIPS(nn.Module):
    """LPIPS with AlexNet (Zhang et al. 2018, eq. 1, version 0.1), as torchmetrics ported it with its linear heads.

    AlexNet's weights are torchvision's, from a file that is there already: they are never downloaded.

    Raises:
        UsageError: if `weights_path` finds no file.
    """

    name = "lpips_alexnet"
    file = "alexnet-owt-7be5be79.pth"
    library = f"torchmetrics {version('torchmetrics')}, LPIPS 0.1, AlexNet"

    def __init__(self) -> None:
        super().__init__()
        from torchmetrics.functional.image.lpips import _NoTrainLpips

        path = self.weights_path()
        if path is None:
            raise UsageError(
                f"LPIPS needs {self.file}, whose sha256 begins as its name ends, in {download_folder()}: get it from "
                f"https://download.pytorch.org/models/{self.file}, or leave LPIPS out."
            )
        with torch.random.fork_rng(devices=[]):  # AlexNet is built with random weights first
            self.network = _NoTrainLpips(net="alex", pnet_rand=True)
        weights = torch.load(path, map_location="cpu", weights_only=True)
        for part in self.network.net.children():  # they keep torchvision's numbers of the layers
            part.load_state_dict({name: weights[f"features.{name}"] for name in part.state_dict()})
        self.eval().requires_grad_(False)

    @classmethod
    def weights_path(cls) -> Path | None:
        """Where AlexNet's weights lie under $TORCH_HOME/hub/checkpoints; None if they are missing or are others."""
        path = download_folder() / cls.file
        return path if path.is_file() and sha256_of(path).startswith(path.stem.rpartition("-")[2]) else None

    @torch.no_grad()
    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Compare images (B, C, H, W) in [-1, 1], twice, grey or colour, as rounded to 256 grey levels.

        Images of less than 64 pixels a side are enlarged to 64x64 (bilinear), as AlexNet has no features of small ones.

        Returns:
            (B,), 0 for equal images, not negative, without units.
        """
        return self.distance(to_float(to_uint8(x)), to_float(to_uint8(x_hat)))

    def distance(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """The same of images as they are, differentiable in both."""
        return self.network(large_enough(x), large_enough(x_hat)).flatten()


def large_enough(images: Tensor, smallest: int = SMALLEST) -> Tensor:
    """Map images (B, C, H, W) to colour ones (B, 3, H', W') of so many pixels a side or more (bilinear)."""
    images = grey_to_rgb(images)
    if min(images.shape[-2:]) >= smallest:
        return images
    return F.interpolate(images, (smallest, smallest), mode="bilinear", align_corners=False)
