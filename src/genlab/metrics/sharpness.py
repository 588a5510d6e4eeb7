"""How much fine detail images have."""

import torch
from torch import Tensor

LIMIT = 0.25  # cycles a pixel, half of the Nyquist frequency


def high_frequency_energy(images: Tensor) -> Tensor:
    """Mean power of a pixel at spatial frequencies above a quarter of the sampling rate, in whatever direction.

    Of the periodic Fourier series x = sum_f c_f exp(2 pi i f.r), the sum of |c_f|^2 over |f| > 1/4: over all f it is
    the mean square (Parseval). Divide the mean over samples by the mean over the data: 1 is as sharp as the data, below
    1 blurred, as reconstructions are that average over what they can't tell apart, and above 1 noisy.

    Args:
        images: uint8 (B, C, H, W).

    Returns:
        (B,) in grey levels^2 on the scale [0, 1], the mean over channels. A chequerboard of amplitude a has a^2, white
        noise of variance s^2 has s^2 times the share of frequencies above the limit, and flat images have 0.
    """
    height, width = images.shape[-2:]
    coefficients = torch.fft.rfft2(images.float() / 255, norm="forward")
    return (coefficients.abs().square() * _weights(height, width).to(images.device)).sum((-2, -1)).mean(1)


def _weights(height: int, width: int) -> Tensor:
    """How often each entry of the half spectrum (H, W // 2 + 1) stands in the whole one, 0 below the limit."""
    vertical = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    horizontal = torch.fft.rfftfreq(width, dtype=torch.float64)
    above = vertical.square() + horizontal.square() > LIMIT**2
    alone = (horizontal == 0) | (horizontal == 0.5)  # all other columns stand for their conjugates too
    return (above * torch.where(alone, 1, 2)).float()
