"""Streaming moments."""

import torch

from genlab.moments import Moments, symmetric_root


def test_the_moments_of_a_stream_are_those_of_all_vectors_at_once(generator):
    x = torch.randn(57, 4, generator=generator, dtype=torch.float64)
    moments = Moments(4, torch.float64)
    for batch in x.split(10):
        moments.update(batch)
    assert moments.n == 57
    torch.testing.assert_close(moments.mean, x.mean(0))
    torch.testing.assert_close(moments.cov, torch.cov(x.T))


def test_merging_two_streams_is_the_stream_of_both(generator):
    x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    first, second = Moments(3, torch.float64), Moments(3, torch.float64)
    first.update(x[:13])
    second.update(x[13:])
    first.merge(second.n, second.mean, second.scatter)
    torch.testing.assert_close(first.cov, torch.cov(x.T))


def test_a_large_offset_does_not_cancel_in_float32():
    x = torch.tensor([[10_000.0], [10_001.0], [10_002.0]])
    moments = Moments(1)
    for row in x.split(1):
        moments.update(row)
    assert moments.cov.item() == 1.0


def test_the_root_of_a_covariance_is_symmetric_and_squares_to_it(generator):
    x = torch.randn(10, 4, generator=generator, dtype=torch.float64)
    root = symmetric_root(x.T @ x)
    torch.testing.assert_close(root @ root, x.T @ x)
    torch.testing.assert_close(root, root.T)


def test_a_covariance_without_full_rank_has_a_root():
    assert torch.equal(symmetric_root(torch.diag(torch.tensor([4.0, 0.0]))), torch.diag(torch.tensor([2.0, 0.0])))
