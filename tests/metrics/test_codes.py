"""Active units."""

import pytest
import torch

from genlab.metrics import active_units


def test_an_entry_is_active_if_its_mean_varies_by_more_than_a_hundredth():
    """Unbiased variances of two means d apart: d^2 / 2."""
    means = torch.tensor([[0.0, 5.0, 0.0, 0.0], [2.0, 5.0, 0.13, 0.15]])  # 2, 0, 0.00845, 0.01125
    assert active_units(means) == 2
    assert active_units(means, threshold=0.005) == 3
    assert active_units(means, threshold=2.0) == 0  # above, and not at, the threshold


def test_a_mean_far_from_zero_that_ignores_the_image_is_not_active():
    assert active_units(torch.full((100, 3), 1000.1)) == 0


def test_a_single_image_has_no_variance():
    with pytest.raises(ValueError, match="at least two"):
        active_units(torch.zeros(1, 3))
