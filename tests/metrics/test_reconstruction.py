"""Errors of reconstructions against hand-derived numbers and torchmetrics."""

from math import log10

import pytest
import torch
from torch.nn import functional as F
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from genlab.images import to_float
from genlab.metrics import reconstruction_errors


def random_images(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return to_float(torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8))


def test_white_against_black_has_an_error_of_one_and_zero_decibels():
    white = torch.ones(2, 3, 8, 8)
    found = reconstruction_errors(white, -white)
    assert found.mse.tolist() == [1, 1]
    assert found.psnr.tolist() == pytest.approx([0, 0])
    c1 = 0.01**2  # flat images: all that is left of SSIM is the luminance (2 m m' + c1) / (m^2 + m'^2 + c1)
    assert found.ssim.tolist() == pytest.approx([c1 / (1 + c1)] * 2, rel=1e-3)


def test_every_image_has_errors_of_its_own():
    """Off by 51 levels, a fifth of the range: 1/25, and 14 dB; the second by 0."""
    x = torch.full((2, 1, 8, 8), -1.0)
    x_hat = torch.stack([x[0] + 2 / 5, x[1]])
    found = reconstruction_errors(x, x_hat)
    assert found.mse.tolist() == pytest.approx([1 / 25, 0])
    assert found.psnr[0].item() == pytest.approx(10 * log10(25), rel=1e-5)
    assert found.ssim[0] < found.ssim[1] == 1


def test_a_perfect_reconstruction_has_the_psnr_of_one_entry_a_level_off_and_no_other_is_above():
    black = torch.full((1, 3, 8, 8), -1.0)
    x = black.clone()
    x[0, 0, 0, 0] += 2 / 255
    one_off = reconstruction_errors(x, black)
    perfect = reconstruction_errors(x, x)
    assert perfect.psnr.item() == pytest.approx(20 * log10(255) + 10 * log10(192), rel=1e-5)
    assert perfect.psnr.item() == pytest.approx(one_off.psnr.item())
    assert perfect.mse < one_off.mse
    x[0, 0, 0, 1] += 2 / 255
    assert reconstruction_errors(x, black).psnr < one_off.psnr - 3


def test_images_are_compared_as_they_would_be_saved():
    """0.4 of a level is rounded away, 0.6 is a level, and what lies outside of the range is clamped."""
    x = torch.full((1, 1, 8, 8), 1.0)
    assert reconstruction_errors(x, x - 0.4 * 2 / 255).mse == 0
    assert reconstruction_errors(x, x - 0.6 * 2 / 255).mse.item() == pytest.approx(1 / 255**2)
    assert reconstruction_errors(x, x + 3).mse == 0


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (1, 17, 12)])
def test_psnr_and_ssim_are_torchmetrics_of_each_image_alone(shape, generator):
    x, x_hat = random_images(generator, 3, *shape), random_images(generator, 3, *shape)
    found = reconstruction_errors(x, x_hat)
    for i in range(3):
        pair = ((x_hat[i : i + 1] + 1) / 2, (x[i : i + 1] + 1) / 2)
        assert found.psnr[i].item() == pytest.approx(peak_signal_noise_ratio(*pair, data_range=1.0).item(), abs=1e-3)
        ssim = structural_similarity_index_measure(*pair, data_range=1.0)
        assert found.ssim[i].item() == pytest.approx(ssim.item(), abs=1e-4)
    assert found.ssim.unique().numel() == 3


def test_the_window_fits_into_eight_pixels_and_ssim_falls_with_noise(generator):
    x = random_images(generator, 4, 1, 8, 8)
    noise = torch.randn(x.shape, generator=generator)
    some, more = (reconstruction_errors(x, x + s * noise).ssim for s in (0.1, 0.5))
    assert (more < some).all()
    assert (some < 1).all()


def test_ssim_sees_lost_structure_where_the_mean_error_is_the_same(generator):
    x = F.interpolate(random_images(generator, 1, 1, 7, 7) / 2, (28, 28))
    shifted = x + 0.2
    blurred = F.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)
    noisy = x + 0.2 * torch.randn(x.shape, generator=generator)
    by_shift, by_blur, by_noise = (reconstruction_errors(x, y) for y in (shifted, blurred, noisy))
    assert by_shift.mse.item() == pytest.approx(by_noise.mse.item(), rel=0.2)
    assert by_shift.ssim > by_noise.ssim + 0.1
    assert by_shift.ssim > by_blur.ssim + 0.1


@pytest.mark.parametrize("shapes", [((1, 1, 5, 8),) * 2, ((1, 1, 8, 8), (1, 3, 8, 8)), ((8, 8),) * 2])
def test_images_that_cannot_be_compared_are_refused(shapes):
    with pytest.raises(ValueError, match="6x6"):
        reconstruction_errors(*(torch.zeros(shape) for shape in shapes))
