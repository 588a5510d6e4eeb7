"""High-frequency energy of patterns whose spectrum is known."""

from math import cos, pi

import pytest
import torch
from torch.nn import functional as F

from genlab.metrics import high_frequency_energy

SHAPES = [(8, 8), (28, 28), (12, 20), (9, 15), (7, 10)]


def as_levels(pattern: torch.Tensor, amplitude: int) -> torch.Tensor:
    """Make an image (1, 1, H, W) with grey levels amplitude * pattern around 128."""
    return (128 + amplitude * pattern).round().to(torch.uint8)[None, None]


def chequerboard(height: int, width: int) -> torch.Tensor:
    return (-1.0) ** (torch.arange(height)[:, None] + torch.arange(width))


def grating(height: int, width: int, cycles: int) -> torch.Tensor:
    """Vary from left to right, `cycles` times over the width."""
    return torch.tensor([cos(2 * pi * cycles * i / width) for i in range(width)]).expand(height, width)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_flat_image_has_no_detail(shape, level):
    image = torch.full((2, 3, *shape), level, dtype=torch.uint8)
    assert high_frequency_energy(image).tolist() == pytest.approx([0, 0], abs=1e-14)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (12, 20)])
def test_a_chequerboard_of_amplitude_a_has_a_squared(shape):
    energy = high_frequency_energy(as_levels(chequerboard(*shape), 51))
    assert energy.item() == pytest.approx((51 / 255) ** 2, rel=1e-5)


@pytest.mark.parametrize("turned", [False, True], ids=["horizontal", "vertical"])
@pytest.mark.parametrize(("cycles", "share"), [(3, 0), (5, 0), (6, 1), (7, 1), (9, 1)])
def test_a_grating_counts_above_a_quarter_of_the_sampling_rate_only(cycles, share, turned):
    """20 pixels wide: a quarter are 5 cycles. A grating of amplitude a has the power a^2 / 2 (not at 10 cycles)."""
    pattern = grating(12, 20, cycles)
    image = as_levels(pattern.T if turned else pattern, 100)
    expected = share * (image.double() / 255).var(correction=0).item()
    assert expected == pytest.approx(share * (100 / 255) ** 2 / 2, rel=0.01)
    assert high_frequency_energy(image).item() == pytest.approx(expected, rel=0.01, abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_white_noise_has_its_variance_times_the_share_of_frequencies_above_the_limit(shape, generator):
    height, width = shape
    frequencies = [(i / height, j / width) for i in range(height) for j in range(width)]
    folded = [(min(a, 1 - a), min(b, 1 - b)) for a, b in frequencies]
    share = sum(a * a + b * b > 0.25**2 for a, b in folded) / (height * width)
    images = (128 + 20 * torch.randn(4000, 1, *shape, generator=generator)).round().to(torch.uint8)
    expected = share * (20**2 + 1 / 12) / 255**2  # rounding to levels is noise of variance 1/12
    assert high_frequency_energy(images).mean().item() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_sum_over_the_whole_spectrum_of_each_channel(shape, generator):
    images = torch.randint(0, 256, (3, 2, *shape), generator=generator, dtype=torch.uint8)
    height, width = shape
    spectrum = torch.fft.fft2(images.double() / 255).abs().square() / (height * width) ** 2
    frequencies = torch.fft.fftfreq(height)[:, None].double() ** 2 + torch.fft.fftfreq(width).double() ** 2
    expected = (spectrum * (frequencies > 0.25**2)).sum((2, 3)).mean(1)
    torch.testing.assert_close(high_frequency_energy(images).double(), expected, rtol=1e-4, atol=1e-9)


def test_blur_lowers_it_and_noise_raises_it(generator):
    images = torch.randint(0, 256, (8, 1, 28, 28), generator=generator, dtype=torch.uint8)
    images = F.avg_pool2d(images.float(), 3, stride=1, padding=1)
    blurred = F.avg_pool2d(images, 3, stride=1, padding=1)
    noisy = (images + 25 * torch.randn(images.shape, generator=generator)).clamp(0, 255)
    less, data, more = (high_frequency_energy(x.to(torch.uint8)).mean().item() for x in (blurred, images, noisy))
    assert less < 0.5 * data
    assert more > 1.1 * data
