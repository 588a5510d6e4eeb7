"""How far reconstructions are from their images, pixel by pixel and window by window."""

from typing import NamedTuple

import torch
from torch import Tensor

from genlab.images import to_uint8


class ReconstructionErrors(NamedTuple):
    """One value an image, (B,) each, of images on the scale [0, 1]."""

    mse: Tensor  # in grey levels^2
    psnr: Tensor  # in dB
    ssim: Tensor  # 1 for equal images, at most 1


@torch.no_grad()
def reconstruction_errors(x: Tensor, x_hat: Tensor) -> ReconstructionErrors:
    """Compare images with their reconstructions as they would be saved: rounded to 256 grey levels, on [0, 1].

    PSNR is -10 log10(MSE) of each image. A perfect reconstruction, whose PSNR is infinite, gets that of the smallest
    error there is, one entry of the image that is one grey level off: 20 log10(255) + 10 log10(C H W) dB. So means
    stay finite and the order is kept.

    SSIM (Wang et al. 2004, eq. 13, with K1 = 0.01 and K2 = 0.03) is torchmetrics', the mean over pixels and channels
    with a Gaussian window of 11x11 pixels and deviation 1.5. Images are reflected at their borders, so the window fits
    into those of 6 pixels a side or more. Implementations that leave the borders out give other values.

    Args:
        x: (B, C, H, W) in [-1, 1], 6 or more pixels a side.
        x_hat: the same; values outside of the range are clamped.

    Raises:
        ValueError: if the shapes differ, or if the images are smaller.
    """
    if x.shape != x_hat.shape or x.ndim != 4 or min(x.shape[-2:]) < 6:
        raise ValueError(
            f"Expected two batches (B, C, H, W) of 6x6 pixels or more, got {tuple(x.shape)} and {tuple(x_hat.shape)}."
        )
    from torchmetrics.functional.image import structural_similarity_index_measure

    x, x_hat = to_uint8(x).float() / 255, to_uint8(x_hat).float() / 255
    mse = (x - x_hat).square().flatten(1).mean(1)
    smallest = (1 / 255) ** 2 / x[0].numel()
    ssim = structural_similarity_index_measure(x_hat, x, sigma=1.5, data_range=1.0, reduction="none")
    assert isinstance(ssim, Tensor)  # it is a pair only where the full image is asked for
    return ReconstructionErrors(mse, -10 * mse.clamp_min(smallest).log10(), ssim)
