"""The map of the code space."""

import logging

import pytest
import torch
from looking import Decoder, Linear, run_of

from genlab.modes import Manifold
from genlab.modes.manifold import main_plane, quantiles

LEVELS = torch.tensor([[0, 51, 102], [255, 204, 102]])


@pytest.mark.parametrize("n", [2, 5, 20])
def test_quantiles_are_symmetric_and_increase(n):
    found = quantiles(n)
    assert len(found) == n
    assert (found.diff() > 0).all()
    torch.testing.assert_close(found, -found.flip(0))


def test_quantiles_have_equal_probabilities_between_them():
    """Of two: 1/4 and 3/4, which is 0.6745 deviations; of five the middle one is the median."""
    assert quantiles(2).tolist() == pytest.approx([-0.67449, 0.67449], abs=1e-5)
    assert quantiles(5)[2] == pytest.approx(0, abs=1e-12)
    probabilities = torch.special.ndtr(quantiles(10))
    torch.testing.assert_close(probabilities.diff(), torch.full((9,), 0.1, dtype=torch.float64))


def test_codes_of_two_entries_are_shown_whole_the_first_across_and_the_second_upwards(generator):
    sheet = Manifold(n=3)(run_of(Decoder([1.0, 1.0]), LEVELS), generator)
    q = quantiles(3)[2].item()  # of 5/6: 0.9674
    assert q == pytest.approx(0.96742, abs=1e-5)
    grid = sheet.images.flatten(1)[:, :2].view(3, 3, 2)
    torch.testing.assert_close(grid[..., 0], torch.tensor([-q, 0, q]).expand(3, 3))
    torch.testing.assert_close(grid[..., 1], torch.tensor([q, 0, -q])[:, None].expand(3, 3))
    assert [*sheet.columns] == ["-0.97", "0.00", "0.97"]
    assert [*sheet.rows] == ["0.97", "0.00", "-0.97"]
    assert sheet.title == "Across: z0; upwards: z1"


def test_the_main_plane_goes_through_the_mean_along_the_directions_of_the_largest_variances(generator):
    """Axes of length 3, 2 and 0.1, turned: the directions come back, one deviation long."""
    basis = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64)).Q
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3).double()
    codes = signs * torch.tensor([0.1, 3.0, 2.0]) @ basis.T + 5
    plane = main_plane(codes.float())
    torch.testing.assert_close(plane.middle, torch.full((3,), 5.0))
    for found, direction, length in ((plane.across, basis[:, 1], 3.0), (plane.up, basis[:, 2], 2.0)):
        torch.testing.assert_close(found.norm(), torch.tensor(length), atol=1e-4, rtol=0)
        assert abs(found.double() @ direction) == pytest.approx(length, abs=1e-4)
    assert [name.partition("(")[2] for name in plane.names] == ["69% of their variance)", "31% of their variance)"]


def test_longer_codes_are_shown_in_the_plane_of_training_codes(generator):
    """Two codes at (+-1, +-0.6, -0.2): all they differ by is the direction (1, 0.6, 0), over the mean (0, 0, -0.2)."""
    sheet = Manifold(n=3)(run_of(Linear([1.0, 1.0, 1.0]), LEVELS), generator)
    grid = sheet.images.flatten(1)[:, :3].view(3, 3, 3)
    q = quantiles(3)[2].item()
    torch.testing.assert_close(grid[1, 1], torch.tensor([0, 0, -0.2]))
    torch.testing.assert_close(grid[1, 2].abs(), torch.tensor([q, 0.6 * q, 0.2]))
    assert "main direction 1 of 2 training codes (100% of their variance)" in sheet.title


def test_without_an_encoder_in_that_of_the_two_most_used_entries(generator, caplog):
    with caplog.at_level(logging.INFO):
        sheet = Manifold(n=3)(run_of(Decoder([0.1, 3.0, 2.0]), LEVELS), generator)
    assert "the two entries of a code that are used most, 1 and 2" in caplog.text
    assert sheet.title == "Across: z1; upwards: z2"
    grid = sheet.arrays["codes"].view(3, 3, 3)
    assert not grid[..., 0].any()
    assert grid[1, 2, 1] > 0 > grid[2, 1, 2]


def test_numbers_are_no_plane():
    reason = Manifold.why_not(run_of(Decoder([1.0]), LEVELS))
    assert reason == "codes of two entries or more, and those of this run have one"
    assert Manifold.why_not(run_of(Decoder([1.0, 1.0]), LEVELS)) is None
