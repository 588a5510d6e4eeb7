"""A row for each entry of a code."""

from math import exp

import pytest
import torch
from looking import Collapsed, Decoder, Linear, run_of

from genlab.errors import UsageError
from genlab.evaluation.code_use import CodeUse, measure_use, total_effects
from genlab.models import AE
from genlab.models.base import ImageModel
from genlab.modes import Traverse
from genlab.networks import MLP

LEVELS = torch.tensor([[0, 51, 102], [255, 204, 102]])  # -1, -0.6, -0.2 and 1, 0.6, -0.2 in [-1, 1]


def first_pixels(sheet, n):
    """(rows, columns, n)."""
    images = sheet.images.flatten(1)[:, :n]
    return images.view(-1, sheet.n_columns, n)


def test_one_entry_of_a_row_goes_from_minus_to_plus_three_deviations_and_the_others_stay(generator):
    sheet = Traverse(steps=7)(run_of(Decoder([0.1, 0.3, 0.2]), LEVELS), generator)
    rows = first_pixels(sheet, 3)
    assert [text.split()[0] for text in sheet.rows] == ["z1", "z2", "z0"]  # by the weights of the decoder
    for row, (entry, weight) in zip(rows, [(1, 0.3), (2, 0.2), (0, 0.1)], strict=True):
        torch.testing.assert_close(row[:, entry], weight * torch.arange(-3.0, 4.0))
        assert row.count_nonzero() == 6
    assert sheet.columns == ["-3", "-2", "-1", "0", "1", "2", "3"]


def test_around_a_test_image_its_reconstruction_stands_in_the_middle(generator):
    run = run_of(Linear([1.0, 1.0, 1.0]), LEVELS)
    sheet = Traverse(of="data", image=1, steps=3, dims=[2, 0])(run, generator)
    rows = first_pixels(sheet, 3)
    torch.testing.assert_close(rows[:, 1], torch.tensor([[1, 0.6, -0.2], [1, 0.6, -0.2]]))
    torch.testing.assert_close(rows[0, :, 2], torch.tensor([-3.2, -0.2, 2.8]))
    torch.testing.assert_close(rows[1, :, 0], torch.tensor([-2.0, 1.0, 4.0]))
    assert torch.equal(sheet.arrays["codes"], rows.flatten(0, 1))
    assert sheet.arrays["dims"] == [2, 0]


def test_the_deviations_of_an_ae_are_those_of_the_gaussian_that_fits_its_codes():
    model = AE((1, 8, 8), 2, encoder=MLP, decoder=MLP, optimizer=torch.optim.Adam)
    model.code_mean.copy_(torch.tensor([5.0, -1.0]))
    model.code_cov.copy_(torch.tensor([[4.0, 1.0], [1.0, 9.0]]))
    mean, std = model.prior_moments()
    assert (mean.tolist(), std.tolist()) == ([5, -1], [2, 3])


def test_those_of_other_models_are_0_and_1():
    mean, std = ImageModel.prior_moments(Decoder([3.0, 4.0]))
    assert (mean.tolist(), std.tolist()) == ([0, 0], [1, 1])


def test_entries_are_ordered_by_their_kl(generator):
    """KL(N(0, e^v) || N(0, 1)) = (e^v - 1 - v) / 2: 0 for v = 0, more for smaller v."""
    run = run_of(Collapsed([0.0, -4.0, -2.0]), LEVELS)
    use = measure_use(run.model, run.datamodule, generator)
    assert use.order == [1, 2, 0]
    assert use.values.tolist() == pytest.approx([0, (exp(-4) + 3) / 2, (exp(-2) + 1) / 2], abs=1e-6)
    assert Traverse(n=2)(run, generator).rows == ["z1  1.51 nats", "z2  0.57 nats"]


def test_without_a_posterior_by_the_variance_of_codes(generator):
    """Of two codes at a and -a it is a^2; one that never changes is last."""
    run = run_of(Linear([1.0, 1.0, 1.0]), LEVELS)
    use = measure_use(run.model, run.datamodule, generator)
    assert use.values.tolist() == pytest.approx([1, 0.36, 0])
    assert use.order == [0, 1, 2]
    assert use.text(1) == "variance 0.36"


def test_without_an_encoder_by_the_part_in_the_variance_of_images(generator):
    """A linear decoder with weights 1, 2, 3: 1, 4 and 9 of 14."""
    model = Decoder([1.0, 2.0, 3.0])
    codes, others = model.prior(20_000, generator).chunk(2)
    shares = total_effects(model.decode, codes, others)
    torch.testing.assert_close(shares, torch.tensor([1, 4, 9]).double() / 14, atol=0.02, rtol=0)


def test_entries_that_act_together_count_for_both(generator):
    """f = z0 z1 has a variance of 1, all of it an interaction: the total effect of each is 1."""
    codes, others = torch.randn(40_000, 2, generator=generator).chunk(2)
    shares = total_effects(lambda z: z.prod(1)[:, None, None, None], codes, others)
    torch.testing.assert_close(shares, torch.ones(2).double(), atol=0.1, rtol=0)


def test_a_decoder_whose_images_are_all_alike_uses_nothing(generator):
    codes, others = torch.randn(8, 2, generator=generator).chunk(2)
    assert total_effects(lambda z: torch.ones(len(z), 1, 8, 8), codes, others).tolist() == [0, 0]


def test_equal_uses_keep_the_order_of_the_entries():
    assert CodeUse(torch.tensor([0.0, 1.0, 0.0, 1.0]), "{}").order == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dims": [1, 7]}, r"mode.dims=\[7\] is not possible: the codes of this run have the entries 0 to 2\."),
        ({"of": "data", "image": 2}, "mode.image=2 is not possible: the test images are those from 0 to 1"),
    ],
)
def test_an_entry_or_an_image_that_is_not_there_is_refused(options, said, generator):
    with pytest.raises(UsageError, match=said):
        Traverse(**options)(run_of(Linear([1.0, 1.0, 1.0]), LEVELS), generator)


def test_without_an_encoder_there_is_no_code_of_a_test_image(generator):
    with pytest.raises(
        UsageError, match=r"mode\.of=data needs an encoder, which Decoder has not: type mode\.of=origin"
    ):
        Traverse(of="data")(run_of(Decoder([1.0, 1.0]), LEVELS), generator)
