"""Samples, interpolations and reconstructions."""

import numpy as np
import pytest
import torch
from looking import Linear, run_of
from PIL import Image

from genlab.errors import UsageError
from genlab.images import to_uint8
from genlab.modes import Grid, Interpolate, Reconstruct
from genlab.modes.inputs import read_images
from genlab.modes.interpolate import slerp


def test_at_temperature_0_all_samples_are_that_of_the_mean(vae, generator):
    sheet = Grid(n=4, temperature=0)(vae, generator)
    assert not sheet.arrays["codes"].any()
    mean = vae.model.decode(torch.zeros(4, vae.model.latent_dim))
    assert torch.equal(sheet.images, mean)


def test_the_temperature_multiplies_codes(vae):
    first, second = (Grid(n=3, temperature=t)(vae, torch.Generator().manual_seed(1)) for t in (1.0, 0.5))
    assert torch.equal(0.5 * first.arrays["codes"], second.arrays["codes"])
    assert not torch.equal(first.images, second.images)


def test_noise_draws_from_the_likelihood_of_a_vae(vae):
    """A Gaussian of deviation sigma around the mean, in both cases of the same codes."""
    mean, drawn = (Grid(n=16, noise=noise)(vae, torch.Generator().manual_seed(1)) for noise in (False, True))
    assert torch.equal(mean.arrays["codes"], drawn.arrays["codes"])
    sigma = float(vae.model.likelihood.sigma)
    assert (drawn.images - mean.images).std().item() == pytest.approx(sigma, rel=0.05)


def test_noise_on_a_gan_is_refused(gan, generator):
    with pytest.raises(UsageError, match=r"mode\.noise=true draws from p\(x\|z\), which GAN has not: leave it out"):
        Grid(noise=True)(gan, generator)


def test_the_same_seed_draws_the_same_samples(vae_run, look, tmp_path):
    first = look(vae_run, "seed=3", "output=" + str(tmp_path / "a.png")).read_bytes()
    assert first == look(vae_run, "seed=3", "output=" + str(tmp_path / "b.png")).read_bytes()
    assert first != look(vae_run, "seed=4", "output=" + str(tmp_path / "c.png")).read_bytes()


def test_the_ends_of_an_arc_are_the_codes(generator):
    start, end = torch.randn(2, 5, 8, generator=generator)
    torch.testing.assert_close(slerp(start, end, 0.0), start)
    torch.testing.assert_close(slerp(start, end, 1.0), end)


def test_the_middle_of_an_arc_between_orthogonal_codes_is_as_long_as_they_are():
    start, end = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    middle = slerp(start, end, 0.5)
    torch.testing.assert_close(middle, torch.tensor([[3.0, 3.0]]) / 2**0.5)
    assert middle.norm().item() == pytest.approx(3)
    assert torch.lerp(start, end, 0.5).norm().item() == pytest.approx(3 / 2**0.5)  # a straight line leaves the shell


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0])
def test_parallel_codes_are_joined_by_a_straight_line(factor):
    start = torch.tensor([[1.0, 2.0, 2.0]])
    found = slerp(start, factor * start, 0.25)
    torch.testing.assert_close(found, (0.75 + 0.25 * factor) * start)


def test_paths_begin_and_end_at_the_codes_of_test_images(generator):
    """Levels 0, 51, 204, 255 are -1, -0.6, 0.6, 1: from the first two images to the last two."""
    run = run_of(Linear([1.0]), torch.tensor([[0], [51], [204], [255]]))
    sheet = Interpolate(n=2, steps=3, of="data", path="linear")(run, generator)
    torch.testing.assert_close(sheet.arrays["codes"][:, 0], torch.tensor([-1, -0.2, 0.6, -0.6, 0.2, 1]))
    assert sheet.columns == ["0%", "50%", "100%"]


def test_there_is_no_path_between_images_without_an_encoder(gan, generator):
    with pytest.raises(UsageError, match=r"mode\.of=data needs an encoder, which GAN has not: type mode\.of=prior"):
        Interpolate(of="data")(gan, generator)


def test_the_error_of_a_reconstruction_is_in_grey_levels(generator):
    """What the code does not hold comes back as 0, a level of 127.5 instead of 0: off by 128, rounded, in 63 pixels."""
    run = run_of(Linear([1.0]), torch.tensor([[200], [100]]))
    sheet = Reconstruct(n=2)(run, generator)
    assert sheet.arrays["errors"].tolist() == pytest.approx([128 * (63 / 64) ** 0.5] * 2)
    assert [*sheet.captions] == ["", "", "127.0", "127.0"]
    assert [*sheet.rows] == ["image", "reconstruction"]


@pytest.fixture
def photos(tmp_path):
    """Two images of the data's size, grey and in colour, and one of another, in a folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.arange(784, dtype=np.uint8).reshape(28, 28)).save(folder / "a.png")
    Image.new("RGB", (28, 28), (255, 0, 0)).save(folder / "b.png")
    Image.new("L", (60, 40), 200).save(folder / "c.png")
    (folder / "notes.txt").write_text("no image")
    return folder


def test_images_of_ones_own_are_fitted_as_the_data_are(vae, photos, caplog):
    images = to_uint8(read_images(vae, str(photos), 10))
    assert images.shape == (3, 1, 28, 28)
    assert (images[0, 0].flatten() == torch.arange(784).to(torch.uint8)).all()
    assert (images[1] == 76).all()  # 0.299 * 255, as luma
    assert (images[2] == 200).all()
    with caplog.at_level("INFO"):
        read_images(vae, str(photos), 2)
        assert not caplog.text
        read_images(vae, str(photos), 3)
    assert "Images of other sizes than 28x28 pixels are fitted" in caplog.text


def test_one_image_may_stand_for_a_folder_of_them(vae, photos, generator):
    sheet = Reconstruct(input=str(photos / "b.png"))(vae, generator)
    assert len(sheet.images) == 2
    assert (to_uint8(sheet.images[0]) == 76).all()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("notes.txt", r"mode\.input=.*notes\.txt can't be read as an image"),
        ("nowhere", r"mode\.input=.*nowhere does not exist"),
        ("empty", r"mode\.input=.*empty holds no files"),
    ],
)
def test_what_is_no_image_is_refused(name, said, vae, photos, generator):
    (photos / "empty").mkdir()
    with pytest.raises(UsageError, match=said):
        Reconstruct(input=str(photos / name))(vae, generator)
