"""Which held-out images a decoder reaches."""

import pytest
import torch
from brightness import Brightness
from settings import config
from toy import Toy

from genlab.config.build import build
from genlab.evaluation import Inversion, NotApplicable, Subject
from genlab.images import to_float


@pytest.fixture(scope="module")
def data():
    return build(config("data.size=8", "data.limit=60").data)


def measure(model, data, **options):
    subject = Subject("toy", lambda _: torch.empty(0), 0, data, Brightness(), torch.device("cpu"), None, model)
    return {found.stamp.metric: found for found in Inversion(**options)(subject)}


def test_a_decoder_that_makes_any_image_reaches_all(data):
    found = measure(Toy(lambda z: z.view(-1, 1, 8, 8), latent_dim=64), data, n_images=20)
    assert found["reach"].value == 1
    assert found["inversion_mse"].value < 1e-5
    assert (found["reach"].better, found["inversion_mse"].better) == ("higher", "lower")


def test_a_decoder_that_knows_a_training_image_by_heart_reaches_none(data):
    """No held-out image is closer to it than to the training image that is nearest."""
    learnt = data.images("train")[7]
    found = measure(Toy(lambda z: to_float(learnt) + 0 * z.view(-1, 1, 1, 1)), data, n_steps=2)
    errors = (data.images("test").double() - learnt).div(255).square().flatten(1).mean(1)
    assert found["reach"].value == 0
    assert found["inversion_mse"].value == pytest.approx(errors.mean().item(), rel=1e-5)


def test_the_protocol_says_how_was_searched_and_what_is_reached(data):
    found = measure(Toy(lambda z: z.view(-1, 1, 1, 1).expand(-1, 1, 8, 8)), data, n_images=5, n_steps=3)
    stamp = found["inversion_mse"].stamp
    assert (stamp.n_real, stamp.split, stamp.settings) == (5, "test", "best 2 of 1000 draws, 3 steps")
    assert found["reach"].stamp.settings.startswith("closer than the nearest of 60 train images, best 2")


def test_a_folder_of_images_has_no_decoder(data):
    with pytest.raises(NotApplicable, match="no decoder"):
        measure(None, data)
