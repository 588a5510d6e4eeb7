"""What is loaded is data and never code."""

import shutil

import pytest
import torch
from omegaconf import OmegaConf
from settings import config

from genlab.commands.load import find_checkpoint, load_run, read_checkpoint
from genlab.config.build import build, check_target
from genlab.errors import UsageError


class Malice:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_checkpoint_moved_elsewhere_is_enough(vae_run, tmp_path):
    moved = tmp_path / "anything.ckpt"
    shutil.copy(vae_run.path / "checkpoints" / "best.ckpt", moved)
    here, there = (
        load_run(str(path)).model.sample(3, torch.Generator().manual_seed(0)) for path in (vae_run.path, moved)
    )
    assert torch.equal(here, there)


def test_averaged_weights_are_the_default_and_raw_ones_on_request(vae_run):
    averaged, raw = (load_run(str(vae_run.path), weights).model for weights in ("ema", "raw"))
    assert (averaged.weights_in_use, raw.weights_in_use) == ("ema", "raw")
    assert any(not torch.equal(a, b) for a, b in zip(averaged.parameters(), raw.parameters(), strict=True))


def test_a_poisoned_checkpoint_is_refused_and_runs_nothing(vae_run, tmp_path):
    trap = tmp_path / "trap"
    checkpoint = read_checkpoint(vae_run.path / "checkpoints" / "last.ckpt")
    torch.save(checkpoint | {"extra": Malice(trap)}, tmp_path / "poisoned.ckpt")
    with pytest.raises(UsageError, match="refused"):
        load_run(str(tmp_path / "poisoned.ckpt"))
    assert not trap.exists()


@pytest.mark.parametrize("place", ["model", "model.decoder", "model.decoder.output", "data.source"])
def test_a_poisoned_config_within_a_checkpoint_is_refused(vae_run, tmp_path, place):
    checkpoint = read_checkpoint(vae_run.path / "checkpoints" / "last.ckpt")
    poisoned = OmegaConf.create(checkpoint["config"])
    OmegaConf.update(poisoned, place, {"_target_": "os.system", "command": f"touch {tmp_path}/trap"}, force_add=True)
    torch.save(checkpoint | {"config": OmegaConf.to_container(poisoned)}, tmp_path / "poisoned.ckpt")
    with pytest.raises(UsageError, match=r"os\.system.*refused"):
        load_run(str(tmp_path / "poisoned.ckpt"))
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "genlab.run.folder.subprocess.run",  # reached through a module of ours
        "genlab.run.folder.subprocess.Popen",
        "genlab.commands.train.train",  # a function
        "lightning.pytorch.trainer.trainer.os.system",
        "genlabs.models.VAE",
        "torch.load",
        7,
    ],
)
def test_targets_outside_of_the_allow_list_are_refused(target):
    with pytest.raises(UsageError, match="refused"):
        check_target(target)


def test_a_target_that_does_not_exist_is_named():
    with pytest.raises(UsageError, match=r"genlab\.models\.Vea"):
        build({"_target_": "genlab.models.Vea"})


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_a_file_that_is_no_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / "file.ckpt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"file\.ckpt"):
        load_run(str(path))


def test_a_checkpoint_of_another_program_is_refused(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(UsageError, match="no checkpoint of this project"):
        load_run(str(tmp_path / "other.ckpt"))


def test_a_truncated_checkpoint_is_refused(vae_run, tmp_path):
    data = (vae_run.path / "checkpoints" / "last.ckpt").read_bytes()
    (tmp_path / "half.ckpt").write_bytes(data[: len(data) // 2])
    with pytest.raises(UsageError, match="damaged"):
        load_run(str(tmp_path / "half.ckpt"))


def test_a_run_folder_gives_its_best_checkpoint(vae_run):
    assert find_checkpoint(vae_run.path).name == "best.ckpt"


@pytest.mark.parametrize(("model", "role"), [("gan", "discriminator"), ("vae", "encoder")])
def test_residual_networks_of_an_earlier_version_come_back_with_the_stages_they_had(model, role, tmp_path):
    """Their configuration has no `coarsest`, and it meant 4: at 32 pixels maps of 16, 8, 4, 4."""
    small = (f"model/{role}=resnet", f"model.{role}.width=4", f"model.{role}.max_width=4", "data=shapes")
    cfg = config(f"model={model}", *small, f"model.{role}.coarsest=4")
    trained = build(cfg.model)
    old = OmegaConf.to_container(cfg, resolve=True)
    del old["model"][role]["coarsest"]
    checkpoint = {"config": old, "state_dict": trained.state_dict(), "images_seen": 7, "global_step": 3}
    torch.save(checkpoint, tmp_path / "old.ckpt")
    loaded = load_run(str(tmp_path / "old.ckpt"))
    x = torch.randn(2, *trained.image_shape)
    assert torch.equal(getattr(loaded.model, role)(x), getattr(trained.eval(), role)(x))
    assert getattr(loaded.model, role).features(x).shape[2:] == (4, 4)
    today = build(config(f"model={model}", *small).model)
    assert getattr(today, role).features(x).shape[2:] == (8, 8)
