"""The Inception score on logits whose score is known."""

from math import exp, log

import pytest
import torch

from genlab.metrics import inception_score


def sure_of(classes: torch.Tensor, n_classes: int = 1008) -> torch.Tensor:
    return 100 * torch.nn.functional.one_hot(classes, n_classes).float()


@pytest.mark.parametrize("n_classes", [2, 10])
def test_a_sure_classifier_that_finds_k_classes_equally_often_scores_k(n_classes):
    mean, deviation = inception_score(sure_of(torch.arange(200) % n_classes), n_splits=1)
    assert mean == pytest.approx(n_classes)
    assert deviation == 0


def test_samples_that_are_all_alike_score_one_sure_or_not(generator):
    for logits in (sure_of(torch.zeros(100, dtype=torch.long)), torch.randn(1, 1008, generator=generator)):
        assert inception_score(logits.expand(100, -1)) == pytest.approx((1, 0))


def test_classes_of_three_quarters_and_one_quarter_score_the_exponential_of_their_entropy():
    entropy = -(0.75 * log(0.75) + 0.25 * log(0.25))
    logits = sure_of((torch.arange(400) % 4 == 0).long())
    assert inception_score(logits, n_splits=1)[0] == pytest.approx(exp(entropy))


def test_a_small_split_cannot_hold_all_classes():
    """Ten samples of a hundred classes score ten at most."""
    mean, _ = inception_score(sure_of(torch.arange(100)), n_splits=10)
    assert mean == pytest.approx(10)
    assert inception_score(sure_of(torch.arange(100)), n_splits=1)[0] == pytest.approx(100)


def test_samples_sorted_by_class_are_shuffled_by_the_seed_and_the_global_generators_stay(unmoved):
    logits = sure_of(torch.arange(10).repeat_interleave(100))
    first, again, other = (inception_score(logits, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert first[0] > 9  # unshuffled, each split would hold one class and score 1


@pytest.mark.parametrize("n_splits", [0, 4])
def test_splits_without_samples_are_refused(n_splits):
    with pytest.raises(ValueError, match="can't be split"):
        inception_score(torch.zeros(3, 10), n_splits=n_splits)
