"""Balls of neighbours, nearest vectors and memorisation."""

import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from genlab.metrics import manifold_metrics, memorisation, nearest, nearest_few, neighbours


def on_a_line(*places: float) -> torch.Tensor:
    return torch.tensor(places, dtype=torch.float32)[:, None]


def written_out(samples: torch.Tensor, reference: torch.Tensor, k: int) -> tuple[float, float]:
    """Density and coverage as in Naeem et al. 2020, from all distances at once."""
    apart = (reference[:, None] - reference).norm(dim=2)
    radii = apart.sort(1).values[:, k]
    inside = (samples[:, None] - reference).norm(dim=2) <= radii
    return inside.sum().item() / (k * len(samples)), inside.any(0).double().mean().item()


def test_all_four_on_a_line():
    """With k = 1 the reference balls are [-1, 1], [0, 2] and [1, 19]: the first two samples are in two of them each.

    The balls of the samples are [0.1, 0.9], [0.5, 1.3], [-31, -29] and [-32, -30]: only 1 is in one of them.
    """
    reference, samples = on_a_line(0, 1, 10), on_a_line(0.5, 0.9, -30, -31)
    found, _ = manifold_metrics(samples, reference, k=1, k_density=1)
    assert found == pytest.approx((2 / 4, 1 / 3, 4 / (1 * 4), 2 / 3))


def test_balls_are_closed():
    """The balls around 0 and 2 are [-2, 2] and [0, 4], and the samples lie on two of the ends."""
    found, _ = manifold_metrics(on_a_line(-2, 4), on_a_line(0, 2), k=1, k_density=1)
    assert (found.precision, found.density, found.coverage) == (1, 1, 1)
    outside, _ = manifold_metrics(on_a_line(-2.01, 4.01), on_a_line(0, 2), k=1, k_density=1)
    assert (outside.precision, outside.density, outside.coverage) == (0, 0, 0)


def test_copies_of_the_reference_are_precise_dense_and_cover_it(generator):
    x = torch.randn(50, 4, generator=generator)
    found, _ = manifold_metrics(x, x + 0.0)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    far, _ = manifold_metrics(x + 100, x)
    assert far == (0, 0, 0, 0)


def test_a_collapsed_model_is_precise_but_recalls_and_covers_little(generator):
    reference = torch.randn(200, 2, generator=generator)
    collapsed = reference[:1] + 1e-3 * torch.randn(200, 2, generator=generator)
    found, _ = manifold_metrics(collapsed, reference)
    assert found.precision > 0.9
    assert found.recall < 0.1
    assert found.coverage < 0.1


def test_equal_distributions_have_density_one_and_the_coverage_of_the_paper(generator):
    samples, reference = torch.randn(2, 2000, 3, generator=generator)
    found, _ = manifold_metrics(samples, reference)
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.02)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("ties", [False, True], ids=["no ties", "ties"])
def test_precision_and_recall_are_torch_fidelitys_also_with_ties(k, ties, generator):
    """On a grid of whole numbers many distances are equal, and exact in float32; n is above cdist's 25 rows."""
    samples, reference = (3 * torch.randn(n, 3, generator=generator) + shift for n, shift in ((60, 0), (80, 2)))
    if ties:
        samples, reference = samples.round(), reference.round()
    expected = prc_features_to_metric(samples, reference, prc_neighborhood=k, verbose=False)
    found, _ = manifold_metrics(samples, reference, k=k)
    assert found[:2] == pytest.approx((expected["precision"], expected["recall"]), abs=1e-6)
    assert 0 < found.precision < 1
    radii = torch.cdist(reference, reference).kthvalue(k + 1).values
    assert (torch.cdist(samples, reference) == radii).any() == ties


@pytest.mark.parametrize("k", [1, 5])
def test_density_and_coverage_are_the_papers(k, generator):
    samples, reference = torch.randn(40, 3, generator=generator), torch.randn(70, 3, generator=generator) + 0.5
    found, _ = manifold_metrics(samples, reference, k_density=k)
    assert (found.density, found.coverage) == pytest.approx(written_out(samples, reference, k))
    assert written_out(samples, reference, k) != written_out(samples, reference, k + 1)


def test_the_chunks_are_small_and_change_nothing(generator, monkeypatch):
    samples, reference = torch.randn(70, 3, generator=generator), torch.randn(90, 3, generator=generator)
    whole = manifold_metrics(samples, reference), nearest(samples, reference), nearest(reference, reference, True)
    sizes, cdist = [], torch.cdist

    def watched(a, b):
        sizes.append(len(a) * len(b))
        return cdist(a, b)

    monkeypatch.setattr(torch, "cdist", watched)
    monkeypatch.setattr(neighbours, "CHUNK", 1000)
    again = manifold_metrics(samples, reference), nearest(samples, reference), nearest(reference, reference, True)
    for found, expected in zip(again[0], whole[0], strict=True):
        assert found == pytest.approx(expected)
    for found, expected in zip(again[1] + again[2], whole[1] + whole[2], strict=True):
        torch.testing.assert_close(found, expected)
    assert max(sizes) <= 1000 < 70 * 90


@pytest.mark.parametrize("sizes", [(3, 20), (20, 5)])
def test_too_few_vectors_for_their_neighbours_are_refused(sizes):
    with pytest.raises(ValueError, match="neighbours each"):
        manifold_metrics(*(torch.zeros(n, 2) for n in sizes))


def test_the_nearest_one_on_a_line_and_its_distance():
    distances, indices = nearest(on_a_line(0.2, 4, 9), on_a_line(10, 0, 5))
    assert indices.tolist() == [1, 2, 0]
    assert distances.tolist() == pytest.approx([0.2, 1, 1])


def test_a_copy_is_at_zero_exactly_however_long_the_vectors_are(generator):
    """Where the matrix product alone leaves a distance of the size of its rounding."""
    x = 100 + torch.randn(100, 50, generator=generator)
    distances, indices = nearest(x, x)
    assert torch.cdist(x, x).diagonal().max() > 1e-3
    assert distances.tolist() == [0] * 100
    assert indices.tolist() == list(range(100))


def test_a_vector_that_is_not_to_find_itself_finds_its_twin():
    x = on_a_line(3, 0, 3, 7)
    assert nearest(x, x)[1].tolist() in ([0, 1, 0, 3], [0, 1, 2, 3], [2, 1, 0, 3])
    distances, indices = nearest(x, x, exclude_self=True)
    assert indices[[0, 2]].tolist() == [2, 0]
    assert distances.tolist() == [0, 3, 0, 4]


def test_nothing_to_find_is_refused():
    with pytest.raises(ValueError, match="no nearest one"):
        nearest(torch.zeros(1, 2), torch.zeros(1, 2), exclude_self=True)


def test_no_queries_have_no_nearest_ones():
    distances, indices = nearest(torch.empty(0, 2), torch.zeros(3, 2))
    assert len(distances) == len(indices) == 0


def test_memorisation_counts_pairs_and_ties_half():
    """Of the pairs of (0, 2) and (1, 2, 3): 0 is smaller than all three, 2 than one, and one pair is a tie."""
    shares = memorisation(torch.tensor([0.0, 2.0]), torch.tensor([3.0, 1.0, 2.0]))
    assert shares.tolist() == pytest.approx([3 / 3, 1.5 / 3])


def test_memorisation_is_scipys_mann_whitney_statistic(generator):
    from scipy.stats import mannwhitneyu

    samples, held_out = (torch.randint(0, 9, (n,), generator=generator).float() for n in (30, 50))
    pairs_won = mannwhitneyu(held_out.numpy(), samples.numpy()).statistic
    assert memorisation(samples, held_out).mean().item() == pytest.approx(pairs_won / (30 * 50))


def test_copies_of_training_images_are_told_from_samples_like_held_out_ones(generator):
    train, held_out, fresh = torch.randn(3, 500, 5, generator=generator)
    d_held_out = nearest(held_out, train)[0]
    assert memorisation(nearest(train, train)[0], d_held_out).mean() == 1
    assert memorisation(nearest(fresh, train)[0], d_held_out).mean() == pytest.approx(0.5, abs=0.06)
    assert memorisation(nearest(fresh + 50, train)[0], d_held_out).mean() == 0


def test_memorisation_of_nothing_is_refused():
    with pytest.raises(ValueError, match="got 0 and 3"):
        memorisation(torch.empty(0), torch.ones(3))


def test_the_few_nearest_come_in_order_however_the_reference_is_read():
    """From 2: 2, 1, then 4 and 0 at the same distance, the lower row first."""
    reference = on_a_line(9, 0, 1, 2, 4)
    for at_once in (1, 2, 5):
        distances, rows = nearest_few(on_a_line(2, 9), reference, 4, at_once)
        assert distances.tolist() == [[0, 1, 2, 2], [0, 5, 7, 8]]
        assert rows.tolist() == [[3, 2, 1, 4], [0, 4, 3, 2]]


def test_the_few_nearest_agree_with_the_nearest(generator):
    queries, reference = torch.randn(2, 40, 6, generator=generator)
    distances, rows = nearest(queries, reference)
    few = nearest_few(queries.view(-1, 2, 3), reference.view(-1, 2, 3), 3, at_once=7)
    assert torch.equal(few[1][:, 0], rows)
    assert torch.allclose(few[0][:, 0], distances)
