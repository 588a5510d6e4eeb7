"""What is typed, and what is scored: every run ends with a validation, and what has too few images is said."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from settings import config
from typed import assert_refused, type_in

from genlab.commands.train import train
from genlab.data import Digits
from genlab.run.checkpoint import read_checkpoint

SMALL = ("debug=fast", "data.limit=48", "data.batch_size=16", "data.size=16", "callbacks.frechet.n_samples=16")
T = (*SMALL, "trainer=cpu", "~callbacks.progress", "hydra.run.dir=run")  # three batches an epoch
STOPS_EARLY = (
    "+callbacks.stop._target_=lightning.pytorch.callbacks.EarlyStopping",
    "+callbacks.stop.monitor=val/loss",
    "+callbacks.stop.stopping_threshold=1.0e+9",  # at once
)


@pytest.fixture(scope="session")
def environment(shared_data: Path) -> dict[str, str]:
    """A data folder for all rows, so that the reference is described once."""
    return {"DATA_DIR": str(shared_data), "OMP_NUM_THREADS": "1"}


def strict(path: Path):
    """Read JSON as the standard has it: without NaN and Infinity."""
    return json.loads(path.read_text(), parse_constant=pytest.fail)


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def scored_steps(run: Path) -> list[int]:
    return [int(row["step"]) for row in rows(run) if row.get("val/fd_efficientnet_lite0")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "steps", "epoch"),
    [
        (("trainer.check_val_every_n_epoch=5", "trainer.max_epochs=2"), [5], 2),
        (("trainer.check_val_every_n_epoch=5", "trainer.max_epochs=9", "trainer.max_steps=4"), [3], 2),
        (("+trainer.val_check_interval=2", "trainer.max_epochs=2"), [5], 2),
        (("trainer.check_val_every_n_epoch=null", "+trainer.val_check_interval=4", "trainer.max_epochs=2"), [5], 2),
        (("+trainer.max_time=00:00:00:01", "trainer.max_epochs=999", "trainer.check_val_every_n_epoch=99"), None, None),
        ((*STOPS_EARLY, "trainer.max_epochs=9"), [2], 1),
        (("model=gan", "trainer.check_val_every_n_epoch=5", "trainer.max_epochs=2"), [5], 2),
        (("trainer.num_sanity_val_steps=1", "callbacks.frechet.every_n_epochs=1"), [2], 1),
    ],
)  # fmt: skip
def test_a_run_ends_with_a_validation_and_a_score_whatever_ends_it(arguments, steps, epoch, tmp_path, environment):
    result = type_in("train", *T, *arguments, cwd=tmp_path, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    run = tmp_path / "run"
    summary = strict(run / "summary.json")
    steps, epoch = steps or [summary["steps"] - 1], epoch or summary["epochs"]  # where the clock ends it
    assert scored_steps(run) == steps
    assert (summary["status"], summary["epochs"], summary["steps"]) == ("completed", epoch, steps[-1] + 1)
    assert summary["score"]["value"] == pytest.approx(float(rows(run)[-1]["val/fd_efficientnet_lite0"]))
    assert [path.name for path in (run / "samples").iterdir()] == [f"epoch_{epoch:04d}.png"]
    assert read_checkpoint(run / "checkpoints" / "best.ckpt")["global_step"] == steps[-1] + 1


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("+trainer.limit_val_batches=0", "trainer.limit_val_batches=0 leaves nothing to validate"),
        ("trainer.max_epochs=0", "trainer.max_epochs=0 leaves nothing to train"),
        ("trainer.max_steps=0", "trainer.max_steps=0 leaves nothing to train"),
    ],
)
def test_a_run_that_can_t_end_with_a_validation_says_so_at_the_start(argument, reason, tmp_path, shared_data, caplog):
    train(config(*T[:-1], argument, f"paths.data_dir={shared_data}", run_dir=tmp_path))
    assert f"{reason}: the run ends without a validation, so without a score and pictures." in caplog.text
    assert not (tmp_path / "samples").exists()


@pytest.mark.slow
def test_a_run_that_ends_with_one_says_nothing_of_it(tmp_path, environment):
    result = type_in("train", *T, "trainer.max_steps=1", cwd=tmp_path, **environment)
    assert "without" not in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("argument", ["+trainer.limit_val_batches=0", "~callbacks.frechet"])
def test_a_search_by_a_score_that_there_will_not_be_is_refused_before_the_first_trial(argument, tmp_path, environment):
    search = ("-m", "hydra/sweeper=optuna", "sweep=s", "model.latent_dim=choice(2,3)", "hydra.sweeper.n_trials=2")
    result = type_in("train", *search, *SMALL, argument, cwd=tmp_path, **environment)
    assert_refused(result, "none has been started")
    assert "the search goes by the score, and there will be none" in result.stdout
    assert not list(tmp_path.rglob("checkpoints"))


@pytest.mark.slow
def test_the_sanity_check_leaves_no_trace(tmp_path, environment):
    for steps in (0, 2):
        every = ("callbacks.frechet.every_n_epochs=1", "trainer.max_epochs=2", "callbacks.ema.every_n_steps=1")
        arguments = (*T, *every, f"trainer.num_sanity_val_steps={steps}", f"hydra.run.dir={steps}")
        assert type_in("train", *arguments, cwd=tmp_path, **environment).returncode == 0
    plain, checked = [read_checkpoint(tmp_path / n / "checkpoints" / "best.ckpt") for n in ("0", "2")]
    assert (tmp_path / "0" / "metrics.csv").read_text() == (tmp_path / "2" / "metrics.csv").read_text()
    assert plain["global_step"] == checked["global_step"] > 0
    assert all(torch.equal(value, checked["ema"][name]) for name, value in plain["ema"].items())


@pytest.mark.slow
@pytest.mark.parametrize("every", ["4", "1000"])
def test_fewer_batches_than_the_average_waits_for_are_scored_as_trained_all_the_same(every, tmp_path, environment):
    arguments = (*T, f"callbacks.ema.every_n_steps={every}", "+trainer.limit_val_batches=1.0")
    assert type_in("train", *arguments, cwd=tmp_path, **environment).returncode == 0
    checkpoint = read_checkpoint(tmp_path / "run" / "checkpoints" / "best.ckpt")
    assert checkpoint["ema"]
    assert all(torch.equal(value, checkpoint["state_dict"][name]) for name, value in checkpoint["ema"].items())


@pytest.mark.slow
@pytest.mark.parametrize("binarize", ["dynamic", "fixed"])
def test_beside_black_and_white_data_a_bernoulli_vae_is_scored_and_shown_by_draws(binarize, tmp_path, environment):
    arguments = (*T, "model/likelihood=bernoulli", f"data.binarize={binarize}")
    assert type_in("train", *arguments, cwd=tmp_path, **environment).returncode == 0
    summary = strict(tmp_path / "run" / "summary.json")
    score = summary["metrics"]["val/fd_efficientnet_lite0"]
    assert (score["protocol"]["binarize"], score["protocol"]["generated"]) == (binarize, "drawn")
    picture = np.asarray(Image.open(tmp_path / "run" / "samples" / "epoch_0001.png"))
    assert set(np.unique(picture)) == {0, 128, 255}  # 128 is between the samples
    few = ("metrics=quick", "metrics.n_samples=16", "metrics.batch_size=5", "hydra.run.dir=eval")
    result = type_in("eval", "run=run", *few, "trainer=cpu", cwd=tmp_path, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    metrics = strict(tmp_path / "eval" / "evaluation.json")[0]["metrics"]
    assert metrics["fd_efficientnet_lite0"]["value"] == pytest.approx(score["value"], rel=1e-5)
    assert metrics["fd_efficientnet_lite0"]["protocol"] == score["protocol"]
    kinds = {name: m["protocol"].get("generated") for name, m in metrics.items()}
    assert kinds["reconstruction_fd_efficientnet_lite0"] == kinds["sharpness_samples"] == "drawn"
    assert kinds["reconstruction_mse"] == "mean"
    assert kinds["kl"] is None


LACKING = {"frechet": 2, "kernel": 2, "diversity": 2, "manifold": 6}  # images that a measure needs


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of 1, 2, 3, 5 and 6 real digits, by their numbers."""
    root = tmp_path_factory.mktemp("digits")
    for n in (1, 2, 3, 5, 6):
        (root / str(n)).mkdir()
        for number, image in enumerate(Digits()()["test"].images[: 40 * n : 40]):
            Image.fromarray(image[0].numpy()).save(root / str(n) / f"{number}.png")
    return root


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_what_a_few_images_are_too_few_for_is_not_applicable_with_the_number_it_needs(n, digits, tmp_path, environment):
    arguments = (f"images={digits / str(n)}", "data=digits", "data.limit=48", "trainer=cpu", "hydra.run.dir=eval")
    result = type_in("eval", *arguments, cwd=tmp_path, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    (found,) = strict(tmp_path / "eval" / "evaluation.json")
    missing = {name for name, needed in LACKING.items() if n < needed}
    assert missing == {name for name in found["not_applicable"] if name in LACKING}
    for name in missing:
        there = f"there is {n}" if n == 1 else f"there are {n}"
        assert found["not_applicable"][name] == f"{LACKING[name]} samples or more are needed, and {there}"
    shown = " ".join(result.stdout.split())
    assert ("6 samples or more are needed" in shown) is (n < 6)
    assert (tmp_path / "eval" / "evaluation" / "neighbours.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vae", "ae", "gan"])
def test_a_run_on_one_image_can_be_evaluated(model, tmp_path, environment):
    arguments = (*T, f"model={model}", "data.limit=1", "data.batch_size=1", "~callbacks.frechet")
    result = type_in("train", *arguments, cwd=tmp_path, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    strict(tmp_path / "run" / "summary.json")
    few = ("metrics.n_samples=2", "metrics.measures.likelihood.n_importance=3", "hydra.run.dir=eval")
    result = type_in(
        "eval", "run=run", *(few if model == "vae" else few[::2]), "trainer=cpu", cwd=tmp_path, **environment
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (found,) = strict(tmp_path / "eval" / "evaluation.json")
    assert found["not_applicable"]["frechet"] == "2 train images or more are needed, and there is 1"
    if model == "vae":
        for metric in ("active_units", "mmd_to_prior", "reconstruction_fd_efficientnet_lite0"):
            assert found["not_applicable"][metric] == "2 test images or more are needed, and there is 1"
        assert {"reconstruction_psnr", "kl_per_dimension", "elbo"} <= found["metrics"].keys()


@pytest.mark.slow
def test_a_folder_with_one_training_image_is_refused_before_the_first_step(digits, tmp_path, environment):
    arguments = (*T, "data=folder", f"data.root={digits / '3'}", "data.size=16", "data.channels=1", "data.batch_size=1")
    result = type_in("train", *arguments, cwd=tmp_path, **environment)
    assert_refused(result, "callbacks.frechet.reference=train has 1 image", "2 or more", "~callbacks.frechet")
    assert not (tmp_path / "run" / "checkpoints").exists()
    arguments = (*arguments, "~callbacks.frechet", "hydra.run.dir=again")
    result = type_in("train", *arguments, cwd=tmp_path, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "diversity and distinctness need 2 validation images or more" in result.stdout


@pytest.mark.slow
def test_a_batch_of_one_has_no_mmd_to_train_on(tmp_path, environment):
    result = type_in("train", *T, "model=wae", "data.batch_size=1", cwd=tmp_path, **environment)
    assert_refused(result, "data.batch_size=2")
