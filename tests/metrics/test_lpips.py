"""LPIPS with random weights in the place of AlexNet's, which can't be had without a network."""

from hashlib import sha256
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torchvision.models import alexnet

from genlab.errors import UsageError
from genlab.metrics import LPIPS, PerceptualDistance


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A download folder with a file of random weights under the name that its hash gives it."""
    folder = tmp_path_factory.mktemp("torch") / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = alexnet(weights=None)
    features = {f"features.{name}": value for name, value in network.features.state_dict().items()}
    torch.save(features, folder / "weights")
    digest = sha256((folder / "weights").read_bytes()).hexdigest()
    (folder / "weights").rename(folder / f"alexnet-owt-{digest[:8]}.pth")
    return folder


@pytest.fixture
def installed(checkpoints, monkeypatch) -> Path:
    """The file of random weights, taken for the published one. Whoever tries to download fails."""

    def no_network(*_, **__):
        raise AssertionError("a download")

    (path,) = checkpoints.iterdir()
    monkeypatch.setenv("TORCH_HOME", str(checkpoints.parent.parent))
    monkeypatch.setattr(LPIPS, "file", path.name)
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    return path


def some_images(generator: torch.Generator, size: int = 64, channels: int = 3) -> torch.Tensor:
    return F.interpolate(2 * torch.rand(2, channels, size // 4, size // 4, generator=generator) - 1, (size, size))


def test_equal_images_are_at_zero_and_others_symmetrically_apart(installed, generator):
    lpips, x, y = LPIPS(), some_images(generator), some_images(generator)
    assert lpips(x, x).tolist() == [0, 0]
    assert (lpips(x, y) > 0).all()
    torch.testing.assert_close(lpips(x, y), lpips(y, x))


def test_where_its_weights_are_it_is_the_perceptual_distance_that_is_descended(installed, generator):
    distance, x, y = PerceptualDistance(), some_images(generator), some_images(generator).requires_grad_()
    assert distance.name == LPIPS.name
    torch.testing.assert_close(distance(x, y), LPIPS()(x, y), atol=1e-2, rtol=0)  # that one rounds
    (gradient,) = torch.autograd.grad(distance(x, y).sum(), y)
    assert gradient.abs().max() > 0


def test_images_are_compared_as_they_would_be_saved(installed):
    """0.003 is 0.38 of a grey level and is rounded away, 0.005 is 0.64 and becomes one."""
    lpips, x = LPIPS(), torch.full((1, 3, 64, 64), -1.0)
    x[..., ::7] = 1.0
    assert lpips(x, 0.997 * x).item() == 0
    assert lpips(x, 0.995 * x).item() > 0


def test_it_grows_with_blur(installed, generator):
    x = some_images(generator)
    blurs = [F.avg_pool2d(x, k, stride=1, padding=k // 2, count_include_pad=False) for k in (3, 7, 15)]
    little, more, much = (LPIPS()(x, blurred) for blurred in blurs)
    assert (little > 0).all()
    assert (little < more).all()
    assert (more < much).all()


def test_it_is_equation_one_with_the_weights_of_the_file_and_the_published_heads(installed, generator):
    """The mean over positions of weighted squared differences of features of unit length, summed over five layers."""
    import torchmetrics.functional.image as functional

    heads = torch.load(Path(functional.__file__).parent / "lpips_models" / "alex.pth", "cpu", weights_only=True)
    network = alexnet(weights=None).features
    network.load_state_dict({k.removeprefix("features."): v for k, v in torch.load(installed).items()})
    x, y = some_images(generator), some_images(generator)
    mean, deviation = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    a, b = (((i - mean[:, None, None]) / deviation[:, None, None]) for i in (x, y))
    expected = torch.zeros(2)
    with torch.no_grad():
        for number, layer in enumerate(network.eval()):
            a, b = layer(a), layer(b)
            if number in (1, 4, 7, 9, 11):
                weights = heads[f"lin{(1, 4, 7, 9, 11).index(number)}.model.1.weight"]
                squared = (F.normalize(a) - F.normalize(b)).square()
                expected += (weights * squared).sum(1).mean((1, 2))
    torch.testing.assert_close(LPIPS()(x, y), expected, rtol=0.02, atol=1e-5)  # it compares rounded images


@pytest.mark.parametrize("size", [8, 28, 64, 80])
def test_grey_and_small_images_are_compared_too_and_a_batch_of_one_keeps_its_axis(installed, size, generator):
    lpips, x = LPIPS(), some_images(generator, size, channels=1)
    y = -x
    found = lpips(x, y)
    assert found.shape == (2,)
    torch.testing.assert_close(found, lpips(x.expand(-1, 3, -1, -1), y.expand(-1, 3, -1, -1)))
    torch.testing.assert_close(lpips(x[:1], y[:1]), found[:1])


def test_it_moves_no_global_generator_and_can_be_neither_trained_nor_made_random(installed, unmoved, generator):
    lpips, x, y = LPIPS(), some_images(generator), some_images(generator)
    first = lpips(x, y)
    assert torch.equal(lpips.train()(x, y), first)  # dropout stays off
    assert not any(p.requires_grad for p in lpips.parameters())


def test_a_missing_file_is_said_to_be_missing_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert LPIPS.weights_path() is None
    with pytest.raises(UsageError) as error:
        LPIPS()
    for part in ("alexnet-owt-7be5be79.pth", str(tmp_path), "https://"):
        assert part in str(error.value)


def test_a_file_whose_hash_is_not_in_its_name_is_not_used(installed, monkeypatch):
    assert LPIPS.weights_path() == installed
    other = installed.with_name("alexnet-owt-7be5be79.pth")
    other.write_bytes(installed.read_bytes())
    monkeypatch.setattr(LPIPS, "file", other.name)
    try:
        assert LPIPS.weights_path() is None
        with pytest.raises(UsageError, match="7be5be79"):
            LPIPS()
    finally:
        other.unlink()
