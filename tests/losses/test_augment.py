"""Augmentations on images whose changes can be counted."""

import pytest
import torch
from settings import config, options

from genlab.config.build import build
from genlab.losses import Colour, Cutout, DiffAugment, Translation

POLICIES = [Colour(), Translation(), Cutout()]


def named(policy):
    return type(policy).__name__


def from_config(*overrides):
    return build(config("model=gan", *overrides).model.augment)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", options("model/augment"))
@pytest.mark.parametrize("shape", [(4, 1, 28, 28), (4, 3, 17, 32)], ids=str)
def test_every_augmentation_keeps_shapes_and_follows_its_generator_alone(name, shape):
    eager = ["model.augment.p=0.9"] if name == "ada" else []  # it starts with a probability of 0
    augment, images = from_config(f"model/augment={name}", *eager), torch.randn(shape, generator=seeded())
    before = torch.get_rng_state()
    once, again = augment(images, seeded()), augment(images, seeded())
    assert torch.equal(torch.get_rng_state(), before)
    assert once.shape == images.shape
    assert torch.equal(once, again)
    assert torch.equal(once, augment(images, seeded(1))) is (name == "none")


def test_no_policy_is_the_identity():
    images, generator = torch.randn(4, 3, 8, 8, generator=seeded()), seeded()
    before = generator.get_state()
    assert DiffAugment()(images, generator) is images
    assert torch.equal(generator.get_state(), before)


def test_real_and_fake_images_are_changed_both():
    augment, generator = from_config("model/augment=diffaugment"), seeded()
    real, fake = torch.randn(2, 4, 3, 8, 8, generator=seeded(1))
    for images in (real, fake):
        assert (augment(images, generator) != images).flatten(1).any(1).all()


def test_policies_run_in_their_order_and_each_can_be_removed():
    assert list(from_config("model/augment=diffaugment").policies) == ["colour", "translation", "cutout"]
    augment = from_config("model/augment=diffaugment", "~model.augment.policies.colour")
    assert list(augment.policies) == ["translation", "cutout"]


@pytest.mark.parametrize("policy", POLICIES, ids=named)
def test_gradients_flow_through(policy):
    images = torch.randn(4, 3, 8, 8, generator=seeded()).requires_grad_()
    policy(images, seeded()).square().sum().backward()
    assert (images.grad != 0).flatten(1).any(1).all()


@pytest.mark.parametrize("policy", POLICIES, ids=named)
def test_each_image_is_changed_in_its_own_way(policy):
    changed = policy(torch.randn(1, 3, 16, 16, generator=seeded()).expand(8, -1, -1, -1), seeded())
    assert len(changed.flatten(1).unique(dim=0)) > 1


@pytest.mark.parametrize("policy", POLICIES, ids=named)
def test_the_second_derivative_that_penalties_need_exists(policy):
    images = torch.randn(2, 3, 8, 8, generator=seeded()).requires_grad_()
    (gradient,) = torch.autograd.grad(policy(images, seeded()).square().sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert images.grad.abs().sum() > 0


def test_brightness_shifts_all_pixels_of_an_image_by_up_to_half():
    policy = Colour(brightness=0.5, saturation=0, contrast=0)
    images = torch.randn(1000, 3, 2, 2, generator=seeded())
    shift = policy(images, seeded()) - images
    torch.testing.assert_close(shift, shift[:, :1, :1, :1].expand_as(shift))
    assert -0.5 <= shift.min() < -0.45
    assert 0.45 < shift.max() <= 0.5 + 1e-6


def test_saturation_moves_colours_but_not_their_grey():
    policy = Colour(brightness=0, saturation=1, contrast=0)
    images = torch.randn(1000, 3, 2, 2, generator=seeded())
    changed = policy(images, seeded())
    torch.testing.assert_close(changed.mean(1), images.mean(1))
    factor = (changed - changed.mean(1, keepdim=True)).flatten(1).norm(dim=1)
    factor = factor / (images - images.mean(1, keepdim=True)).flatten(1).norm(dim=1)
    assert 0 <= factor.min() < 0.1
    assert 1.9 < factor.max() <= 2 + 1e-4


def test_saturation_leaves_grey_images_alone():
    images = torch.randn(4, 1, 5, 5, generator=seeded())
    torch.testing.assert_close(Colour(0, 1, 0)(images, seeded()), images)


def test_contrast_scales_distances_from_the_mean_of_the_image():
    policy = Colour(brightness=0, saturation=0, contrast=0.5)
    images = torch.randn(1000, 1, 4, 4, generator=seeded())
    changed = policy(images, seeded())
    torch.testing.assert_close(changed.mean((1, 2, 3)), images.mean((1, 2, 3)))
    factor = changed.std((1, 2, 3)) / images.std((1, 2, 3))
    assert 0.5 - 1e-4 <= factor.min() < 0.55
    assert 1.45 < factor.max() <= 1.5 + 1e-4


def test_a_coloured_image_is_shifted_then_saturated_then_contrasted_by_three_draws_of_its_own():
    """Each draw u in [0, 1] is read as 2 u - 1. The greys of the two pixels are 0.3 and -0.2, the mean is 0.05."""
    u = [torch.rand(1, 1, 1, 1, generator=generator).item() for generator in [seeded(3)] for _ in range(3)]
    shift, saturation, contrast = 0.4 * (2 * u[0] - 1), 0.8 * (2 * u[1] - 1), 0.6 * (2 * u[2] - 1)
    pixels = [[0.0, 0.3, 0.6], [-0.9, 0.3, 0.0]]  # of three colours
    greys = [0.3 + shift, -0.2 + shift]
    saturated = [
        [grey + (1 + saturation) * (value + shift - grey) for value in pixel]
        for pixel, grey in zip(pixels, greys, strict=True)
    ]
    mean = 0.05 + shift
    expected = [[mean + (1 + contrast) * (value - mean) for value in pixel] for pixel in saturated]
    changed = Colour(0.4, 0.8, 0.6)(torch.tensor(pixels).T.reshape(1, 3, 1, 2), seeded(3))
    torch.testing.assert_close(changed[0, :, 0].T, torch.tensor(expected))


def test_translation_moves_a_pixel_by_up_to_an_eighth_of_the_side_each_way():
    images = torch.zeros(500, 1, 16, 24)
    images[:, :, 8, 12] = 1
    _, _, rows, columns = Translation()(images, seeded()).nonzero(as_tuple=True)
    assert len(rows) == 500
    assert sorted(set((rows - 8).tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(set((columns - 12).tolist())) == [-3, -2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize(("side", "largest"), [(28, 4), (32, 4), (17, 2), (12, 2), (11, 1), (3, 0)])
def test_the_largest_shift_is_rounded_a_half_up(side, largest):
    """As in the authors' code; 28 pixels are shifted by up to 3.5."""
    images = torch.zeros(500, 1, side, side)
    images[:, :, side // 2, side // 2] = 1
    _, _, rows, columns = Translation()(images, seeded()).nonzero(as_tuple=True)
    for places in (rows, columns):
        assert sorted(set((places - side // 2).tolist())) == list(range(-largest, largest + 1))


@pytest.mark.parametrize(("side", "cut"), [(28, 14), (17, 9), (9, 5), (5, 3), (15, 8)])
def test_a_hole_is_rounded_a_half_up_and_of_odd_size_is_centred_on_each_pixel(side, cut):
    """Rows hidden: an odd cut has one of `side` centres, an even one of side + 1 borders; parts may lie outside."""
    changed = Cutout()(torch.ones(3000, 1, side, side), seeded())
    hidden = (changed[:, 0] == 0).any(2).sum(1)
    assert hidden.max() == cut
    if cut % 2:
        centres = range(side)
        expected = {min(side, c - cut // 2 + cut) - max(0, c - cut // 2) for c in centres}
        assert hidden.min() == cut // 2 + 1
    else:
        expected = {min(side, c + cut // 2) - max(0, c - cut // 2) for c in range(side + 1)}
        assert hidden.min() == cut // 2
    assert set(hidden.tolist()) == expected


def test_what_translation_brings_in_is_zero_and_nothing_comes_round():
    changed = Translation(ratio=0.5)(torch.ones(200, 1, 4, 4), seeded())
    kept = changed.flatten(1).sum(1)
    assert set(changed.unique().tolist()) == {0.0, 1.0}
    assert kept.min() == 2 * 2  # shifted by 2 of 4 both ways
    assert kept.max() == 16


def test_cutout_hides_a_square_of_half_the_side_where_it_lies_inside():
    changed = Cutout()(torch.ones(2000, 3, 32, 32), seeded())
    assert torch.equal(changed[:, 0], changed[:, 2])
    hidden = (changed[:, 0] == 0).float().mean((1, 2))
    assert hidden.max() == 1 / 4
    assert hidden.min() >= 1 / 16
    # Of 33 centres, 17 hide 16 rows and each other pair 8, 9, ..., 15: 456 / 33 of 32 rows on average.
    assert hidden.mean().item() == pytest.approx((456 / 33 / 32) ** 2, abs=0.005)


def test_cutout_leaves_the_other_pixels_alone():
    images = torch.randn(50, 1, 9, 9, generator=seeded())
    changed = Cutout()(images, seeded())
    assert torch.equal(changed[changed != 0], images[changed != 0])
