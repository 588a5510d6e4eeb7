"""What the page asks of a run."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from settings import config
from torchvision.transforms.v2.functional import pil_to_tensor
from toy import Toy

from genlab.config.build import build
from genlab.demo.explorer import Explorer
from genlab.protocols import LoadedRun


class Identity(Toy):
    """An image of 8x8 pixels is its own code, but for the sign."""

    def __init__(self):
        super().__init__(lambda z: -z.view(-1, 1, 8, 8), latent_dim=64)

    def encode(self, x):
        return -x.flatten(1)

    def reconstruct(self, x):
        return x


@pytest.fixture(scope="module")
def data():
    return build(config("data.size=8", "data.limit=40").data)


TOYS = [
    Identity,
    lambda: Toy(lambda z: z.view(-1, 1, 8, 8), latent_dim=64),
    lambda: Toy(lambda z: z, latent_shape=(1, 8, 8)),
]


@pytest.fixture(scope="module", params=TOYS, ids=["encoder", "none", "maps"])
def explorer(request, data):
    """With an encoder, without one, and with codes of maps."""
    return Explorer("toy", LoadedRun(request.param(), data, {}, Path()), n_sliders=5)


def levels(picture):
    return pil_to_tensor(picture.convert("L")).int()


def test_a_test_image_is_encoded_pixel_by_pixel_though_it_is_shown_larger(explorer):
    image = explorer.test_images[3]
    assert image.size == (280, 280)
    code, seen, rebuilt = explorer.encode(image.convert("RGBA"))
    assert torch.equal(levels(seen), levels(image))
    assert (levels(rebuilt) - levels(image)).abs().max() <= 1  # what the descent has left
    assert (levels(explorer.picture(code)) - levels(image)).abs().max() <= 1


def test_what_is_drawn_on_nothing_stands_on_the_background_of_the_data(explorer):
    drawn = Image.new("RGBA", (280, 280), (0, 0, 0, 0))
    drawn.paste((255, 255, 255, 255), (0, 0, 140, 140))
    _, seen, _ = explorer.encode(drawn)
    assert levels(seen)[0, 70, 70] == 255
    assert levels(seen)[0, 210, 210] == 0
    assert explorer.ink == "#ffffff"
    assert levels(explorer.encode(None)[1]).max() == 0


def test_a_slider_moves_its_own_entry_alone(explorer):
    code = [7.25, *torch.linspace(-1, 1, 63).tolist()]  # the first lies further out than a slider goes
    before = explorer.deviations(code)
    assert all(-3 <= value <= 3 for value in before)
    assert explorer.moved(code, before) == pytest.approx(code)
    entry = explorer.entries[1]
    after = explorer.moved(code, [before[0], 1.5, *before[2:]])
    assert after[entry] == 1.5
    assert [i for i in range(64) if after[i] != pytest.approx(code[i])] == [entry]


def test_the_way_goes_from_one_image_to_the_other(explorer):
    """Eight images of 64x64 pixels, 4 pixels apart: each of the 8x8 is enlarged eightfold."""
    start, end = explorer.sample(0), explorer.sample(1)
    assert start == explorer.sample(0) != end
    way = explorer.between(start, end)
    for code, left in ((start, 4), (end, 4 + 7 * 68)):
        assert torch.equal(
            levels(way.crop((left, 4, left + 64, 68)).reduce(8)), levels(explorer.picture(code).reduce(35))
        )
