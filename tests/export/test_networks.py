"""What an exported folder draws, beside what the model draws."""

import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
from exporting import drawn_alone, exported, untrained
from PIL import Image
from settings import config, options
from torch import Generator, nn

from genlab.commands.load import load_run
from genlab.errors import UsageError
from genlab.export.graph import python_source, tensors, trace
from genlab.export.write import write_export
from genlab.images import to_uint8
from genlab.models import VAE
from genlab.sampling import sampler

SHAPES = [
    ("data=digits", "data.size=28"),
    ("data=shapes", "data.size=17", "data.channels=3", "model.latent_shape=[2,4,4]"),
]


@cache
def roles(model: str) -> tuple[str, ...]:
    """The roles of networks that are exported."""
    return tuple(role for role in ("encoder", "decoder", "generator") if role in config(f"model={model}").model)


def combinations(model: str) -> list[tuple[str, ...]]:
    """Overrides that give a model each network in each of these roles, on one or the other of two shapes."""
    names = {role: options(f"model/{role}") for role in roles(model)}
    small = [f"model.{role}.width=8" for role in names]
    return [
        (f"model={model}", *(f"model/{role}={n[i % len(n)]}" for role, n in names.items()), *small, *SHAPES[i % 2])
        for i in range(max(map(len, names.values())))
    ]


def each_once() -> list[tuple[str, ...]]:
    """Overrides for each model and for each network in each role, once or a few times."""
    models: dict[tuple[str, ...], list[str]] = {}
    for model in options("model"):
        models.setdefault(roles(model), []).append(model)
    found = []
    for alike in models.values():
        rows = [combinations(model) for model in alike]
        n = max(len(rows), len(rows[0]))
        found += [rows[i % len(rows)][i % len(rows[0])] for i in range(n)]
    return found


MAPS = (  # as a small first stage of latent diffusion
    *("model=vae", "model/encoder=spatial", "model/decoder=spatial", "model.encoder.width=8", "model.decoder.width=8"),
    *("data=shapes", "data.size=16", "data.channels=3", "model.latent_shape=[2,4,4]"),
)


def assert_same_images(checkpoints, folders):
    for checkpoint, folder, images in zip(checkpoints, folders, drawn_alone(*folders), strict=True):
        run = load_run(str(checkpoint))
        with torch.no_grad():
            own = sampler(run.model, run.datamodule, 3, Generator().manual_seed(1))(slice(3))
        assert own.std(0).max() > 1e-3  # they depend on the code
        torch.testing.assert_close(images, own, rtol=0, atol=1e-5)
        levels = to_uint8(own[0]).permute(1, 2, 0).squeeze(2).numpy()
        written = np.asarray(Image.open(folder / "drawn.png"))
        assert written.shape == levels.shape
        assert abs(written.astype(int) - levels).max() <= 1  # what lies between two levels may fall to either


@pytest.mark.slow
def test_the_folder_draws_the_same_images_where_genlab_can_not_be_imported(tmp_path):
    chosen = [*each_once(), MAPS]
    typed = {override for overrides in chosen for override in overrides}
    for model in options("model"):
        networks = {f"model/{role}={name}" for role in roles(model) for name in options(f"model/{role}")}
        assert typed >= {f"model={model}", *networks}
    runs = [untrained(tmp_path / f"{i}.ckpt", *overrides) for i, overrides in enumerate(chosen)]
    assert_same_images(runs, [exported(run, tmp_path / run.stem, "onnx=false") for run in runs])


@pytest.mark.rare
@pytest.mark.parametrize("model", options("model"))
def test_so_it_does_for_each_network_of_each_model(model, tmp_path):
    runs = [untrained(tmp_path / f"{i}.ckpt", *overrides) for i, overrides in enumerate(combinations(model))]
    assert_same_images(runs, [exported(run, tmp_path / run.stem, "onnx=false") for run in runs])


@pytest.mark.slow
def test_black_and_white_samples_are_drawn_as_they_are_scored(tmp_path):
    black_and_white = ("model/likelihood=bernoulli", "data.binarize=dynamic")
    runs = [
        untrained(tmp_path / "drawn.ckpt", *black_and_white),
        untrained(tmp_path / "grey.ckpt", *black_and_white[:1]),
    ]
    folders = [exported(run, tmp_path / run.stem, "onnx=false") for run in runs]
    assert_same_images(runs, folders)
    drawn, grey = drawn_alone(*folders)
    assert set(drawn.flatten().tolist()) == {-1, 1}
    assert len(grey.unique()) > 2
    assert "black or\nwhite, and that is what was scored" in (folders[0] / "README.md").read_text()
    assert "Nothing is added" in (folders[1] / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("overrides", combinations("vae"), ids=lambda overrides: ",".join(overrides[1:3]))
def test_each_network_becomes_onnx(overrides, tmp_path):
    """`write_onnx` compares them itself: see `test_an_onnx_file_that_is_off_is_refused`."""
    folder = exported(untrained(tmp_path / "run.ckpt", *overrides), tmp_path / "out")
    assert {path.name for path in folder.glob("*.onnx")} == {"encoder.onnx", "decoder.onnx"}


class Doubler(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.unused = nn.Parameter(torch.zeros(3))

    def decode(self, x):
        return self.scale * x

    def branch(self, x):
        return x if x.sum() > 0 else -x


def test_a_trace_is_written_as_python_with_the_weights_that_it_uses():
    programs = {"decode": trace(Doubler(), "decode", torch.zeros(2, 3))}
    assert {name: value.item() for name, value in tensors(programs).items()} == {"scale": 2}
    source = python_source(programs, "It doubles.")
    found = {}
    exec(source, found)
    assert found["decode"]({"scale": torch.tensor(3.0)}, torch.ones(5, 3)).tolist() == [[3.0] * 3] * 5
    assert "def decode(weights, x):" in source
    assert "unused" not in source


def test_a_method_that_branches_on_values_is_refused_in_one_sentence():
    with pytest.raises(UsageError, match=r"^Doubler\.branch can't be exported, as torch\.export can't trace it: "):
        trace(Doubler(), "branch", torch.zeros(2, 3))


@pytest.mark.slow
def test_a_prior_that_is_no_function_of_noise_is_refused(tmp_path, monkeypatch):
    run = load_run(str(untrained(tmp_path / "run.ckpt")))
    monkeypatch.setattr(VAE, "prior", lambda self, n, generator=None: torch.rand(n, self.latent_dim))
    with pytest.raises(UsageError, match=r"^VAE\.prior can't be exported.*from_noise"):
        write_export(run, tmp_path, onnx=False, codes=False)


def test_an_export_of_a_conditional_model_takes_labels_and_draws_what_the_model_draws(labelled_run, tmp_path):
    run = load_run(str(labelled_run.path))
    write_export(run, tmp_path, onnx=False, codes=False)
    script = "import torch; from generate import generate; torch.save([generate(3, 1), generate(3, 1, '4')], 'x')"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=100)
    drawn, asked = torch.load(tmp_path / "x")
    with torch.no_grad():
        own = sampler(run.model, run.datamodule, 3, Generator().manual_seed(1))(slice(3))
        fours = run.model.decode(run.model.prior(3, Generator().manual_seed(1)), torch.full((3,), 4))
    torch.testing.assert_close(drawn, own, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(asked, fours, atol=1e-5, rtol=1e-5)
