"""Quantisers round the vectors of codes to entries of a codebook, and learn it."""

import sys

import pytest
import torch

from genlab.errors import UsageError
from genlab.metrics import codebook_use
from genlab.networks import FSQ, LFQ, VQ

MAPS, FLAT = (4, 3, 2), (6,)
ALL = [
    lambda shape: VQ(shape, codebook_size=16),
    lambda shape: VQ(shape, codebook_size=16, rotation_trick=True),
    lambda shape: VQ(shape, codebook_size=16, depth=3),
    lambda shape: FSQ(shape, levels=[3, 4, 3, 3]),
    lambda shape: LFQ(shape, codebook_size=16),
]
NAMES = ["vq", "rotation", "residual", "fsq", "lfq"]


@pytest.fixture(params=ALL, ids=NAMES)
def make(request):
    torch.manual_seed(0)
    return request.param


def two_entries(*entries: float, shape=(1, 2), **options) -> VQ:
    """A codebook of numbers, in evaluation mode."""
    quantizer = VQ(shape, codebook_size=len(entries), kmeans_init=False, expire=0.0, **options)
    quantizer.codebooks[0].embed.copy_(torch.tensor(entries).view(1, -1, 1))
    return quantizer.eval()


def test_a_number_becomes_the_nearest_entry_and_the_squared_distances_of_a_code_are_its_penalty():
    """0.4 is 0.4 from 0 and 2.5 is 0.5 from 3: 0.16 + 0.25."""
    z, indices, penalty = two_entries(0.0, 3.0)(torch.tensor([[[0.4, 2.5]]]))
    assert z.tolist() == [[[0.0, 3.0]]]
    assert indices.tolist() == [[0, 1]]
    assert penalty.item() == pytest.approx(0.41)


def test_gradients_pass_as_if_nothing_was_rounded_and_the_penalty_draws_a_vector_to_its_entry():
    """2 (0.4 - 0) = 0.8 and 2 (2.5 - 3) = -1."""
    x = torch.tensor([[[0.4, 2.5]]], requires_grad=True)
    z, _, penalty = two_entries(0.0, 3.0)(x)
    (through,) = torch.autograd.grad((z * torch.tensor([5.0, 7.0])).sum(), x, retain_graph=True)
    (drawn,) = torch.autograd.grad(penalty, x)
    assert through.tolist() == [[[5.0, 7.0]]]
    assert drawn.flatten().tolist() == pytest.approx([0.8, -1.0])


def test_a_further_codebook_rounds_what_is_left_and_gradients_still_pass_once():
    """2.6 is 2 + 0.5 and 0.1 away; what is left after the first is 0.6, so the penalty is 0.36 + 0.01."""
    quantizer = two_entries(0.0, 2.0, shape=(2, 1), depth=2)
    for codebook, entries in zip(
        quantizer.codebooks, ([[0.0, 0.0], [2.0, 0.0]], [[0.5, 0.0], [0.0, 0.0]]), strict=True
    ):
        codebook.embed.copy_(torch.tensor([entries]))
    x = torch.tensor([[[2.6], [0.0]]], requires_grad=True)
    z, indices, penalty = quantizer(x)
    assert z.flatten().tolist() == pytest.approx([2.5, 0.0])
    assert indices.tolist() == [[1, 0]]
    assert penalty.item() == pytest.approx(0.37)
    (through,) = torch.autograd.grad(z.sum(), x)
    assert through.flatten().tolist() == [1.0, 1.0]


def test_the_library_moves_an_entry_to_its_vectors_by_a_moving_average():
    """Counts go from (1, 1) to .5 + .5 (2, 1), sums from (0, 3) to .5 of it + .5 (0.6, 5)."""
    quantizer = VQ((1, 3), codebook_size=2, decay=0.5, kmeans_init=False, expire=0.0)
    codebook = quantizer.codebooks[0]
    for buffer in (codebook.embed, codebook.embed_avg):
        buffer.copy_(torch.tensor([[[0.0], [3.0]]]))
    quantizer(torch.tensor([[[0.2, 0.4, 5.0]]]))
    assert codebook.embed.flatten().tolist() == pytest.approx([0.3 / 1.5, 4.0 / 1.0], rel=1e-4)


def test_a_codebook_starts_at_the_means_of_clusters_and_until_then_its_entries_differ():
    torch.manual_seed(0)
    quantizer = VQ((1, 6), codebook_size=2)
    assert quantizer.entries().unique().numel() == 2
    quantizer(torch.tensor([[[0.0, 0.1, 0.2, 5.0, 5.2, 5.4]]]))
    assert sorted(quantizer.entries().flatten().tolist()) == pytest.approx([0.1, 5.2], abs=1e-3)


@pytest.mark.parametrize(("expire", "is_replaced"), [(0.1, True), (0.0, False)])
def test_an_entry_that_nothing_is_near_to_becomes_a_vector_of_the_batch(expire, is_replaced):
    torch.manual_seed(0)
    quantizer = VQ((1, 4), codebook_size=2, decay=0.1, kmeans_init=False, expire=expire)
    codebook = quantizer.codebooks[0]
    for buffer in (codebook.embed, codebook.embed_avg):
        buffer.copy_(torch.tensor([[[0.0], [99.0]]]))
    for _ in range(3):
        quantizer(torch.tensor([[[0.1, 0.2, 0.3, 0.4]]]))
    assert (quantizer.entries().max() < 1) == is_replaced


def test_in_evaluation_nothing_is_learnt(make):
    quantizer = make(MAPS)
    quantizer(torch.randn(4, *MAPS))
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    quantizer.eval()(torch.randn(4, *MAPS))
    quantizer.train().round(torch.randn(4, *MAPS))
    assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items())


@pytest.mark.parametrize("shape", [MAPS, FLAT], ids=str)
def test_codes_are_rounded_alike_in_each_way_and_their_numbers_stand_for_them(make, shape):
    quantizer = make(shape)
    quantizer(torch.randn(64, *shape))
    z = torch.randn(5, *shape)
    rounded, indices, penalty = quantizer.eval()(z)
    assert indices.shape == (5, quantizer.n_indices)
    assert indices.dtype == torch.long
    assert indices.max() < quantizer.codebook_size
    assert penalty.shape == ()
    torch.testing.assert_close(quantizer.round(z), rounded)
    torch.testing.assert_close(quantizer.from_indices(indices), rounded)
    if quantizer.depth == 1:
        assert torch.equal(quantizer.to_indices(rounded), indices)


def test_moments_are_those_of_independent_entries(make):
    quantizer = make(MAPS)
    frequencies = torch.rand(quantizer.n_indices, quantizer.codebook_size) ** 4
    frequencies /= frequencies.sum(1, keepdim=True)
    mean, variance = quantizer.moments(frequencies)
    codes = quantizer.from_indices(torch.multinomial(frequencies, 20_000, replacement=True).T)
    torch.testing.assert_close(mean, codes.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(variance, codes.var(0), atol=0.1, rtol=0.1)


def test_lfq_asks_for_sure_decisions_and_an_even_use():
    """Far from 0 all is sure; all entries at once is log 16 nats better than one of them, at each of 6 places."""
    quantizer = LFQ((4, 3, 2), codebook_size=16, commitment_weight=0.0)
    corners = quantizer.entries()[0].view(16, 4, 1, 1).expand(-1, -1, 3, 2)
    even, alike = quantizer(corners)[2], quantizer(corners[:1].expand(16, -1, -1, -1))[2]
    assert even.item() == pytest.approx(-6 * torch.tensor(16.0).log().item(), abs=0.01)
    assert alike.item() == pytest.approx(0, abs=0.01)
    assert quantizer(0.01 * corners)[2] > even


def test_impossible_codebooks_are_refused_by_what_to_type():
    with pytest.raises(UsageError, match=r"type 64 or 128"):
        LFQ(MAPS, codebook_size=100)
    with pytest.raises(UsageError, match=r"levels=\[100,100,100\] is a codebook of 1000000 entries"):
        FSQ(MAPS, levels=[100, 100, 100])
    with pytest.raises(UsageError, match=r"of no entries"):
        FSQ(MAPS, levels=[])
    with pytest.raises(UsageError, match=r"depth=5 is more than the 4 numbers of a vector"):
        VQ(MAPS, depth=5)


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "vector_quantize_pytorch", None)
    with pytest.raises(UsageError, match=r'not installed: type pip install -e "\.\[vq\]"'):
        FSQ(MAPS)


def test_use_of_a_codebook_by_hand():
    """Two of four alike: exp(log 2); one entry alone: 1. With two numbers two entries could have been used."""
    assert [value.item() for value in codebook_use(torch.tensor([0, 2, 2, 0]), 4)] == pytest.approx([2.0, 0.5])
    assert [value.item() for value in codebook_use(torch.tensor([3, 3]), 4)] == pytest.approx([1.0, 0.5])
    assert [value.item() for value in codebook_use(torch.tensor([3, 1]), 4)] == pytest.approx([2.0, 1.0])
