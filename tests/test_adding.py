"""The worked examples of docs/adding.md, put into a copy of the repository as a reader would, and run."""

import bz2
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from settings import ROOT
from typed import assert_refused
from worked import PAGE, worked_examples, worked_files

from genlab.data import Digits
from genlab.images import resized

pytestmark = pytest.mark.slow

FEW = ("trainer=cpu", "debug=fast", "data.limit=16", "data.batch_size=8", "trainer.max_steps=2", "paths.data_dir=data")
VAE = (
    "model=info_vae",
    "model.kl_weight=1",
    "model/encoder=mlp",
    "model/decoder=broadcast",
    "model/likelihood=continuous_bernoulli",
    "data=usps",
    "features=thumbnail",
    "callbacks=[frechet,traversals,checkpoint]",
    "callbacks.frechet.n_samples=16",
)
GAN = (
    "model=gan",
    "model/generator=broadcast",
    "model/objective=relativistic_average",
    "+model/penalty@model.objective.penalties.drift=drift",
    "callbacks=summary",
)
EVALUATION = ("metrics=code_accuracy", "metrics.n_samples=16", "features=thumbnail", "trainer=cpu")
COMMANDS = [
    ("train", *VAE, *FEW, "hydra.run.dir=logs/vae"),
    ("train", *GAN, *FEW, "hydra.run.dir=logs/gan"),
    ("eval", "run=logs/vae", *EVALUATION, "paths.data_dir=data", "hydra.run.dir=logs/eval"),
]
MISTAKES = """
from torch import nn

from genlab.models.ae import AE
from genlab.models.base import ImageModel
from genlab.networks.mlp import MLP


class NoLosses(AE):
    losses = ImageModel.losses


class NoChannels(nn.Module):
    def __init__(self, in_shape, out_shape, **options):
        super().__init__()
        self.layers = MLP(in_shape, out_shape[1:], width=8)

    def forward(self, z):
        return self.layers(z)


class TwoLogits(MLP):
    def __init__(self, in_shape, out_shape, **options):
        super().__init__(in_shape, (2,), **options)


class Alone:
    pass
"""
REFUSED = [
    ("train model=ae model._target_=genlab.mistakes.NoLosses", "NoLosses has no losses"),
    ("train model=ae model.decoder._target_=genlab.mistakes.NoChannels", "decode makes images of shape (28, 28), and"),
    (
        "train model=gan model/discriminator=mlp model.discriminator._target_=genlab.mistakes.TwoLogits callbacks=none",
        "logits (B, 1), and this one gives the shape (32, 2)",
    ),
    ("train ~model.encoder._target_", "model.encoder has no _target_"),
    ("eval run=logs/vae +metrics.measures.mine._target_=genlab.mistakes.Alone", "Alone is no measure: it takes needs_"),
]
TYPIST = """
import json, sys
from typed import type_in

results = [type_in(script, *arguments, cwd=".") for script, *arguments in json.loads(sys.argv[1])]
print(json.dumps([(result.returncode, result.stdout, result.stderr) for result in results]))
"""  # with a server of its own, which imports the copy


class Copy(NamedTuple):
    """A copy of the repository with all examples.

    Attributes:
        root: where it is.
        refusals: what came of each line of `REFUSED`.
    """

    root: Path
    refusals: dict[str, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Copy:
    """Put the examples into a copy, train a VAE and a GAN, evaluate the VAE, and make some mistakes."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("src", "configs", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / ".gitignore", root)
    (root / "src" / "genlab" / "mistakes.py").write_text(MISTAKES, encoding="utf-8")
    for path in worked_files():
        (root / path).unlink(missing_ok=True)  # a reader may have made it
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    for path, text in worked_files().items():
        (root / path).write_text(text, encoding="utf-8")
    lay_usps_out(root / "data" / "usps")
    results = typed_in(root, [*COMMANDS, *(line.split() for line, _ in REFUSED)])
    for result in results[: len(COMMANDS)]:
        assert result.returncode == 0, result.stdout + result.stderr
    return Copy(root, dict(zip([line for line, _ in REFUSED], results[len(COMMANDS) :], strict=True)))


def typed_in(root: Path, commands: list[Sequence[str]]) -> list[subprocess.CompletedProcess[str]]:
    """Type commands in a copy, one after the other."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root / "tests")])}
    typist = [sys.executable, "-c", TYPIST, json.dumps(commands)]
    printed = subprocess.run(typist, cwd=root, env=environment, stdout=subprocess.PIPE, timeout=200, check=True).stdout
    results = zip(commands, json.loads(printed), strict=True)
    return [subprocess.CompletedProcess(command, *result) for command, result in results]


@pytest.fixture
def copy(made) -> Path:
    """Where the copy is."""
    return made.root


def lay_usps_out(folder: Path) -> None:
    """Real digits in the format of USPS: a line an image, its label from 1 and numbered values in [-1, 1]."""
    folder.mkdir(parents=True)
    for name, split, n in (("usps.bz2", "train", 40), ("usps.t.bz2", "test", 16)):
        images, labels = Digits()(limit=n)[split]
        rows = (resized(images[:], 16).flatten(1) / 127.5 - 1).tolist()
        values = [" ".join(f"{i}:{value:.3f}" for i, value in enumerate(row, 1)) for row in rows]
        lines = [f"{label + 1} {row}\n" for label, row in zip(labels.tolist(), values, strict=True)]
        (folder / name).write_bytes(bz2.compress("".join(lines).encode()))


def state(run: Path) -> dict[str, torch.Tensor]:
    """The weights of a run."""
    weights: dict[str, torch.Tensor] = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return weights


def logged(run: Path, key: str) -> list[float]:
    """The values of a column of metrics.csv."""
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row[key]) for row in csv.DictReader(file) if row.get(key)]


def evaluation(copy: Path) -> dict:
    """What was found out about the VAE."""
    [found] = json.loads((copy / "logs" / "eval" / "evaluation.json").read_text(encoding="utf-8"))
    return found


def test_the_page_says_of_each_part_how_many_files_it_takes():
    said = dict(re.findall(r"^\| \[.+?\]\(#(.+?)\) \| (.+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    files = {title.lower().replace(" ", "-"): list(paths) for title, paths in worked_examples().items()}
    assert said.keys() == files.keys()
    n_roles = len([path for path in files["a-network"] if path.endswith(".yaml")])
    for title, paths in files.items():
        n = 1 + n_roles if said[title] == "1 and a YAML a role" else int(said[title])
        assert len(paths) == n, title


def test_no_other_file_is_touched(copy):
    """Neither by hand nor by the runs."""
    listing = ["git", "ls-files", "--others", "--modified", "--exclude-standard"]
    changed = subprocess.run(listing, cwd=copy, check=True, capture_output=True, text=True).stdout.split()
    assert sorted(changed) == sorted(worked_files())


def test_the_model_is_trained_and_found_again(copy):
    assert evaluation(copy)["kind"] == "InfoVAE"
    run = copy / "logs" / "vae"
    loss, *terms = (logged(run, f"train/{name}") for name in ("loss", "nll", "kl", "mmd"))
    assert len(loss) == 2
    assert loss == pytest.approx([nll + kl + 10 * mmd for nll, kl, mmd in zip(*terms, strict=True)], rel=1e-4)


def test_the_network_plays_both_of_its_roles(copy):
    assert state(copy / "logs" / "vae")["decoder.place"].shape == (2, 16, 16)
    summary = json.loads((copy / "logs" / "gan" / "summary.json").read_text(encoding="utf-8"))
    convolutions = [(64 + 2, 32), (32, 32), (32, 32), (32, 1)]  # of 3x3, the first from a code and a place
    assert summary["parameters"]["generator"] == sum(9 * i * o + o for i, o in convolutions)


def test_the_likelihood_of_logits_near_zero_is_uniform(copy):
    """A density of 1/2 on [-1, 1]: log 2 nats a pixel."""
    assert logged(copy / "logs" / "vae", "train/nll")[0] == pytest.approx(256 * log(2), rel=0.05)


def test_the_loss_of_players_that_are_undecided_is_log_4_for_both(copy):
    run = copy / "logs" / "gan"
    assert logged(run, "train/d_loss")[0] == pytest.approx(log(4), abs=0.1)
    assert logged(run, "train/g_loss")[0] == pytest.approx(log(4), abs=0.3)  # after D's first step


def test_the_penalty_is_a_thousandth_of_squared_logits(copy):
    assert all(0 < value < 1e-3 for value in logged(copy / "logs" / "gan", "train/drift"))


def test_the_data_set_is_what_its_files_hold(copy):
    (folder,) = (copy / "data" / "prepared").glob("usps-*")
    images, labels = Digits()(limit=16)["test"]
    assert np.load(folder / "test_labels.npy").tolist() == labels.tolist()
    shown = np.load(folder / "test.npy").astype(int)
    assert np.abs(shown - resized(images[:], 16).numpy()).max() <= 1  # its texts are rounded


def test_the_metric_has_its_row_and_its_protocol(copy):
    found = evaluation(copy)["metrics"]["code_accuracy"]
    assert 0 <= found["value"] <= 1
    assert (found["protocol"]["data"], found["protocol"]["split"], found["protocol"]["n_real"]) == ("usps", "test", 16)
    with (copy / "logs" / "eval" / "evaluation.csv").open(encoding="utf-8") as file:
        assert "code_accuracy" in file.read()


def test_the_encoder_gives_the_score_of_training_and_of_evaluation(copy):
    (score,) = logged(copy / "logs" / "vae", "val/fd_thumbnail")
    found = evaluation(copy)["metrics"]["fd_thumbnail"]
    assert found["protocol"]["encoder"] == "thumbnail"
    assert found["value"] == pytest.approx(score, rel=1e-4)


def test_the_callback_has_drawn_its_picture(copy):
    (picture,) = (copy / "logs" / "vae" / "traversals").iterdir()
    assert picture.name == "epoch_0001.png"
    with Image.open(picture) as image:
        assert image.width / image.height == pytest.approx(9 / 10, abs=0.05)  # values by entries, of square images


@pytest.mark.parametrize(("line", "part"), REFUSED, ids=[line for line, _ in REFUSED])
def test_what_was_forgotten_is_said_in_one_sentence(line, part, made):
    assert_refused(made.refusals[line], part)
