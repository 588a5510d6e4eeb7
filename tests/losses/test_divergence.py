"""KL against hand-derived numbers and torch.distributions, MMD against a slow loop."""

from math import log

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from genlab.errors import UsageError
from genlab.losses import free_bits, kl_per_entry, kl_to_standard_normal, mmd, warm_up


def test_kl_of_the_prior_to_itself_is_zero():
    assert kl_to_standard_normal(torch.zeros(3, 4), torch.zeros(3, 4)).tolist() == [0.0, 0.0, 0.0]


def test_kl_of_a_shifted_prior_is_half_its_squared_mean():
    mean, logvar = torch.tensor([[3.0, 1.0]]), torch.zeros(1, 2)
    assert kl_to_standard_normal(mean, logvar).item() == pytest.approx((9 + 1) / 2)
    assert kl_per_entry(mean, logvar).tolist() == [[pytest.approx(9 / 2), pytest.approx(1 / 2)]]


def test_kl_of_a_prior_with_doubled_deviation():
    logvar = torch.full((1, 1), 2 * log(2.0))
    assert kl_to_standard_normal(torch.zeros(1, 1), logvar).item() == pytest.approx(0.5 * (4 - 1 - log(4.0)))


def test_kl_is_that_of_torch_distributions(generator):
    mean, logvar = torch.randn(2, 7, 5, generator=generator)
    expected = kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_per_entry(mean, logvar), expected)
    torch.testing.assert_close(kl_to_standard_normal(mean, logvar), expected.sum(1))


def test_kl_of_half_precision_codes_is_computed_in_float32():
    mean = torch.tensor([[3.015625]], dtype=torch.bfloat16)  # its square, 9.094, has no neighbours closer than 0.06
    assert kl_per_entry(mean, torch.zeros_like(mean)).item() == pytest.approx(3.015625**2 / 2)


def test_free_bits_lift_the_batch_mean_of_each_entry_and_not_each_image():
    kl = torch.tensor([[0.0, 1.0, 3.0], [0.4, 3.0, 3.0]])  # means 0.2, 2 and 3
    assert free_bits(kl, nats=0.5).item() == pytest.approx(0.5 + 2 + 3)
    assert free_bits(kl, nats=2.5).item() == pytest.approx(2.5 + 2.5 + 3)


def test_no_free_bits_are_the_mean_kl(generator):
    mean, logvar = torch.randn(2, 7, 5, generator=generator)
    expected = kl_to_standard_normal(mean, logvar).mean()
    torch.testing.assert_close(free_bits(kl_per_entry(mean, logvar), nats=0), expected)


def test_an_entry_below_its_free_bits_is_not_pulled_to_the_prior():
    mean = torch.tensor([[0.1, 2.0]], requires_grad=True)  # KL 0.005 and 2
    free_bits(kl_per_entry(mean, torch.zeros(1, 2)), nats=0.5).backward()
    assert mean.grad.tolist() == [[0.0, 2.0]]


@pytest.mark.parametrize(("seen", "factor"), [(0, 0.0), (25, 0.25), (100, 1.0), (1000, 1.0)])
def test_warm_up_rises_linearly_to_one_and_stays(seen, factor):
    assert warm_up(seen, 100) == factor


def test_no_warm_up_is_one_from_the_start():
    assert warm_up(0, 0) == 1.0


def slow_mmd(z, prior_z):
    def kernel(a, b):
        base = 2 * len(a)
        return sum(base * s / (base * s + float((a - b) @ (a - b))) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    def within(codes):
        pairs = [kernel(a, b) for i, a in enumerate(codes) for j, b in enumerate(codes) if i != j]
        return sum(pairs) / len(pairs)

    across = [kernel(a, b) for a in z for b in prior_z]
    return within(z) + within(prior_z) - 2 * sum(across) / len(across)


def test_mmd_is_that_of_a_slow_loop_over_pairs(generator):
    z, prior_z = torch.randn(6, 3, generator=generator) + 1, torch.randn(9, 3, generator=generator)
    assert mmd(z, prior_z).item() == pytest.approx(slow_mmd(z, prior_z), abs=1e-5)


def test_mmd_of_two_far_pairs_of_equal_codes_is_twice_the_number_of_scales():
    assert mmd(torch.zeros(2, 1), torch.full((2, 1), 1e4)).item() == pytest.approx(14, abs=1e-3)


def test_mmd_of_equal_distributions_is_zero_on_average_and_takes_both_signs(generator):
    values = torch.stack([mmd(*torch.randn(2, 16, 4, generator=generator)) for _ in range(400)])
    assert values.min() < 0 < values.max()
    assert abs(values.mean()) < 3 * values.std() / 400**0.5


def test_mmd_grows_with_the_shift_between_distributions(generator):
    z, prior_z = torch.randn(2, 200, 4, generator=generator)
    values = [mmd(z + shift, prior_z).item() for shift in (0.5, 1.0, 2.0)]
    assert 0.05 < values[0] < values[1] < values[2]


def test_descending_mmd_moves_codes_to_the_prior(generator):
    z, prior_z = torch.randn(2, 50, 4, generator=generator)
    z = (z + 1).requires_grad_()
    mmd(z, prior_z).backward()
    assert (z.grad.mean(0) > 0).all()


def test_mmd_is_in_float32_under_autocast(generator):
    z, prior_z = torch.randn(2, 16, 4, generator=generator)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = mmd(z, prior_z)
    assert value.dtype == torch.float32
    assert torch.equal(value, mmd(z, prior_z))


def test_mmd_of_a_single_code_is_refused():
    with pytest.raises(UsageError, match="1 with 5"):
        mmd(torch.zeros(1, 3), torch.zeros(5, 3))
