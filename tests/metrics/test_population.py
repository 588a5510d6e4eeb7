"""A set of images as an encoder sees it: exact counts, one rounding path, and torch-fidelity's own distance."""

import pytest
import torch
from brightness import Brightness
from populations import population
from random_weights import write_random_weights

from genlab.data import Digits
from genlab.distributed import Interrupted
from genlab.metrics import Inception, frechet_distance, high_frequency_energy
from genlab.metrics.population import feature_statistics, frechet
from genlab.moments import Moments


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return Digits()()["test"].images[:50]


@pytest.mark.parametrize("batch_size", [1, 7, 50, 99])
def test_every_image_counts_once_whatever_the_batch(batch_size, digits):
    found = population(digits, Brightness(), batch_size, keep=True)
    features = Brightness()(digits)
    assert len(found) == found.moments.n == 50
    torch.testing.assert_close(found.features, features)
    torch.testing.assert_close(found.moments.mean, features.double().mean(0))
    torch.testing.assert_close(found.moments.cov, features.double().T.cov())
    assert found.energy == pytest.approx(high_frequency_energy(digits).mean().item(), rel=1e-6)


def test_features_are_forgotten_unless_they_are_asked_for(digits):
    assert population(digits, Brightness()).features is None


def test_a_set_has_no_distance_from_itself_by_either_way(digits):
    for keep in (False, True):  # features of fewer images than dimensions go through their Gram matrix
        few = population(digits[:2], Brightness(), keep=keep)
        assert frechet(few, population(digits[:2], Brightness())) == pytest.approx(0, abs=1e-6)
        assert frechet(few, population(digits, Brightness())) > 1


def test_it_stops_before_the_next_batch_when_it_is_told_to(digits):
    seen = []

    def images(rows):
        seen.append(rows.start)
        return digits[rows]

    with pytest.raises(Interrupted):
        feature_statistics(images, 50, Brightness(), 10, "cpu", interrupted=lambda: len(seen) == 2)
    assert seen == [0, 10]


@pytest.mark.rare
def test_the_distance_is_torch_fidelitys_on_the_same_images(tmp_path, monkeypatch, digits):
    """Inception's architecture with random weights in the place of the real ones."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    path = tmp_path / "weights.pth"
    monkeypatch.setattr(Inception, "sha256", write_random_weights("inception", path))
    encoder = Inception(str(path))
    extractor = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path))
    colour = digits.expand(-1, 3, -1, -1)
    with torch.no_grad():
        theirs = [fid_features_to_statistics(extractor(part)[0]) for part in (colour[:12], colour[12:24])]
    expected = fid_statistics_to_metric(*theirs, verbose=False)["frechet_inception_distance"]
    ours = frechet(population(digits[:12], encoder, keep=True), population(digits[12:24], encoder))
    assert ours == pytest.approx(expected, rel=1e-3)
    both = [population(part, encoder).moments for part in (digits[:12], digits[12:24])]
    assert frechet_distance(*both) == pytest.approx(expected, rel=1e-3)


def test_two_unit_gaussians_are_as_far_apart_as_their_means_squared():
    generator = torch.Generator().manual_seed(0)
    near, far = Moments(1, torch.float64), Moments(1, torch.float64)
    z = torch.randn(100_000, 1, generator=generator)
    near.update(z)
    far.update(z + 3)
    assert frechet_distance(near, far) == pytest.approx(9, rel=1e-4)
