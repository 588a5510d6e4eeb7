"""A run that starts from the weights of another one."""

import shutil

import pytest
import torch
from resuming import SMALL, assert_same_end, copied
from settings import TINY, config

from genlab.commands.init import start_from
from genlab.commands.load import read_checkpoint
from genlab.commands.train import train
from genlab.config.build import build
from genlab.errors import UsageError
from genlab.sweeps.dry_run import dry_run

CONNECTED = ("model/encoder=conv_fc", "model/decoder=conv_fc")  # as the VAE has them


def built(*overrides):
    torch.manual_seed(1)
    return build(config(*overrides).model)


def test_all_averaged_weights_are_taken_where_all_fit(vae_run, caplog):
    model = built("data=shapes", "data.size=28", "data.channels=1")
    with caplog.at_level("INFO", "genlab"):
        start_from(model, str(vae_run.path))
    stored = read_checkpoint(vae_run.path / "checkpoints" / "best.ckpt")
    averaged = stored["state_dict"] | stored["ema"]
    assert all(torch.equal(value, averaged[name]) for name, value in model.state_dict().items())
    assert f"the run starts with {len(averaged)} of the {len(averaged)} tensors there" in caplog.text
    assert "not taken" not in caplog.text


def test_tensors_of_another_shape_or_name_stay_as_they_were_and_are_named(vae_run, caplog):
    model, before = (built("model=ae", *CONNECTED, "data=shapes", "data.size=28", "data.channels=3") for _ in range(2))
    start_from(model, str(vae_run.path))
    taken = read_checkpoint(vae_run.path / "checkpoints" / "best.ckpt")["ema"]
    for name in ("encoder.layers.2.weight", "decoder.layers.5.weight"):
        assert torch.equal(model.state_dict()[name], taken[name])
    for name in ("encoder.layers.0.weight", "encoder.layers.9.weight", "decoder.layers.10.bias", "code_cov"):
        assert torch.equal(model.state_dict()[name], before.state_dict()[name])
    assert "encoder.layers.0.weight ((32, 1, 4, 4) there, (32, 3, 4, 4) here)" in caplog.text
    assert "code_mean (not there)" in caplog.text or "more" in caplog.text


@pytest.mark.parametrize("other", [("model=gan",), ("model/encoder=mlp", "model/decoder=mlp")])
def test_a_run_of_which_nothing_fits_is_refused_before_training(other, vae_run, tmp_path):
    with pytest.raises(UsageError, match=r"^init=.* holds no weights that fit this (GAN|VAE)"):
        train(config(*TINY, *other, "callbacks=none", f"init={vae_run.path}", run_dir=tmp_path))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_run_that_does_not_exist_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"^init=nowhere does not exist"):
        train(config(*TINY, "init=nowhere", run_dir=tmp_path))
    assert not (tmp_path / "config.yaml").exists()


def test_a_sweep_says_so_before_its_first_run(vae_run, tmp_path):
    from omegaconf import OmegaConf

    cfg = [config(*TINY, f"model={name}", f"init={vae_run.path}", run_dir=tmp_path) for name in ("vae", "gan")]
    fits, refused = (dry_run(OmegaConf.to_container(part, resolve=True)) for part in cfg)
    assert fits.error is None
    assert "holds no weights that fit this GAN" in refused.error


@pytest.mark.slow
def test_training_starts_with_these_weights(vae_run, tmp_path):
    still = (*TINY, "trainer.max_steps=1", "model.optimizer.lr=1e-12", "callbacks=checkpoint")
    train(config(*still, f"init={vae_run.path}", run_dir=tmp_path / "from"))
    train(config(*still, run_dir=tmp_path / "anew"))
    taken = read_checkpoint(vae_run.path / "checkpoints" / "best.ckpt")["ema"]
    for name, same in (("from", True), ("anew", False)):
        weights = read_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt")["state_dict"]
        assert all(torch.allclose(weights[key], taken[key], atol=1e-9) for key in taken) == same


@pytest.mark.slow
def test_a_run_that_goes_on_does_not_start_again(vae_run, tmp_path):
    origin = shutil.copy(vae_run.path / "checkpoints" / "best.ckpt", tmp_path / "origin.ckpt")
    train(config(*SMALL, f"init={origin}", run_dir=tmp_path / "whole"))
    (tmp_path / "origin.ckpt").unlink()
    run = copied(tmp_path / "whole", tmp_path / "run", 4)
    train(config(f"resume={run}", run_dir="unused"), [])
    assert_same_end(run, tmp_path / "whole")


@pytest.mark.slow
def test_a_run_that_goes_on_by_itself_must_have_started_with_the_same_weights(vae_run, tmp_path):
    few = (*TINY, "callbacks=checkpoint", "resume=auto")
    train(config(*few, f"init={vae_run.path}", run_dir=tmp_path))
    with pytest.raises(UsageError, match=r"holds a run with init=.* and init=None is asked for"):
        train(config(*few, "trainer.max_epochs=2", run_dir=tmp_path))
    train(config(*few, "trainer.max_epochs=2", f"init={vae_run.path}", run_dir=tmp_path))
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 8
