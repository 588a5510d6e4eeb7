"""The perceptual distance that is descended, in the features that come with the installation."""

import pytest
import torch
from torch import nn

from genlab.metrics import LPIPS, PerceptualDistance


@pytest.fixture(scope="module")
def distance():
    return PerceptualDistance("efficientnet_lite0")


@pytest.fixture(scope="module")
def images():
    coarse = 2 * torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 1
    return nn.functional.interpolate(coarse, (48, 48), mode="bicubic").clamp(-1, 1)


def test_it_is_nothing_between_equal_images_and_rises_with_the_difference(distance, images):
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    steps = [distance(images, images + std * noise) for std in (0.0, 0.05, 0.2)]
    assert steps[0].tolist() == [0, 0, 0]
    assert (steps[1] > 0).all()
    assert (steps[1] < steps[2]).all()
    assert steps[2].max() < 4  # the squared distance of two unit vectors


def test_a_blurred_image_is_further_away_than_one_with_as_much_squared_error_in_brightness(distance, images):
    detailed = torch.rand(images.shape, generator=torch.Generator().manual_seed(2)) - 0.5
    blurred = nn.functional.avg_pool2d(detailed, 3, 1, 1)
    error = (blurred - detailed).square().mean((1, 2, 3), keepdim=True).sqrt()
    assert (distance(detailed, blurred) > 2 * distance(detailed, detailed + error)).all()


def test_an_image_can_descend_it_and_its_network_stays_as_it_is(distance, images):
    before = [parameter.clone() for parameter in distance.network.parameters()]
    x_hat = nn.Parameter(torch.zeros_like(images))
    optimizer, losses = torch.optim.Adam([x_hat], lr=0.05), []
    for _ in range(8):
        losses.append(distance(images, x_hat).mean())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]
    assert all(map(torch.equal, before, distance.network.parameters()))
    assert all(parameter.grad is None for parameter in distance.network.parameters())


def test_grey_images_are_compared_as_colour_ones(distance, images):
    grey, other = images[:, :1], images.flip(3)[:, :1]
    torch.testing.assert_close(distance(grey, other), distance(grey.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)))


def test_a_model_that_has_one_has_no_weights_of_it(distance):
    module = nn.Module()
    module.perceptual = distance
    assert not module.state_dict()
    assert not [*module.parameters()]


def test_without_the_weights_of_lpips_the_best_is_what_comes_with_the_installation(monkeypatch):
    monkeypatch.setattr(LPIPS, "weights_path", classmethod(lambda cls: None))
    assert PerceptualDistance().name == "efficientnet_lite0"
