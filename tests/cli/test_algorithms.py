"""What is typed about how models train, and what comes back."""

import pytest
import yaml
from omegaconf import OmegaConf
from settings import config
from typed import assert_refused, refusal, type_in

from genlab.commands.train import train
from genlab.run.checkpoint import read_checkpoint

FAST = (
    "debug=fast",
    "data.limit=48",
    "data.batch_size=16",
    "trainer=cpu",
    "callbacks=checkpoint",
    "trainer.max_steps=3",
)


def typed(*arguments, cwd):
    result = type_in("train", *FAST, "hydra.run.dir=run", *arguments, cwd=cwd)
    assert result.returncode == 0, result.stdout + result.stderr
    return result, yaml.safe_load((cwd / "run" / "config.yaml").read_text())["model"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "d_steps", "betas"),
    [
        ("model=gan model/objective=wgan_gp", 5, [0.0, 0.9]),
        ("model=aae model/objective=wgan_gp", 5, [0.0, 0.9]),
        ("model=bigan model/objective=sngan", 5, [0.0, 0.9]),
        ("model=vaegan model/objective=r3gan", 1, [0.0, 0.99]),
        ("model=aegan model/objective=hinge", 1, [0.5, 0.999]),
        ("model=gan model/objective=wgan_gp model.d_steps=2 model.optimizer.betas=[0.5,0.9]", 2, [0.5, 0.9]),
        ("model.d_steps=3 model=aae model/objective=sngan", 3, [0.0, 0.9]),
    ],
)
def test_an_objective_brings_what_its_paper_trains_with_and_what_is_typed_wins(arguments, d_steps, betas, tmp_path):
    _, model = typed(*arguments.split(), cwd=tmp_path)
    assert (model["d_steps"], model["optimizer"]["betas"]) == (d_steps, betas)


@pytest.mark.parametrize(
    ("arguments", "normalised"),
    [
        ("model=gan model/objective=sngan", {"discriminator": True}),
        ("model=aae model/objective=sngan", {"encoder": False, "code_discriminator": True}),
        ("model=gan model/objective=sngan model/discriminator=r3", {"discriminator": True}),
        ("model=gan model/objective=sngan model.discriminator.spectral_norm=false", {"discriminator": False}),
        ("model=gan model/objective=hinge", {"discriminator": False}),
    ],
)
def test_sngan_brings_spectral_normalisation_of_whatever_judges(arguments, normalised):
    model = OmegaConf.to_container(config(*arguments.split()), resolve=True)["model"]
    found = {
        k: v["spectral_norm"]
        for k, v in model.items()
        if isinstance(v, dict) and "_partial_" in v and "spectral_norm" in v
    }
    assert found == normalised


def test_a_wasserstein_loss_alone_is_warned_of_in_one_line_that_says_what_to_type(tmp_path):
    result, _ = typed("model=gan", "model/objective=wasserstein", cwd=tmp_path)
    lines = [line for line in result.stdout.splitlines() if "slope" in line]
    assert len(lines) == 1
    assert "type model/objective=wgan_gp" in lines[0]


@pytest.mark.parametrize(
    "bounded",
    [
        "model/objective=wgan_gp",
        "model/objective=hinge",
        "model.discriminator.spectral_norm=true model/objective=wasserstein",
    ],
)
def test_bounded_ones_are_not(bounded, tmp_path, caplog):
    train(config(*FAST, "model=gan", *bounded.split(), run_dir=tmp_path))
    assert "slope" not in caplog.text


@pytest.mark.parametrize("accumulate", [2, 3, 4])
def test_any_number_of_batches_makes_an_update(accumulate, tmp_path):
    """There are three an epoch; what is left at its end makes an update too."""
    train(config(*FAST, "model=gan", f"model.accumulate={accumulate}", run_dir=tmp_path))
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["n_updates"] == -(-3 // accumulate)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("model=gan model.accumulate=0", "model.accumulate=0 is not possible: it must be a whole number of at least 1"),
        ("model=gan model/discriminator=resnet model.discriminator.coarsest=0", "coarsest=0 is not possible"),
        ("model=wae model.mmd_weight=-1", "model.mmd_weight=-1 is not possible"),
        ("model/condition=classes", "Did you mean 'class'?"),
        ("model.condition=class", "an option is chosen with a slash, as in model/condition=class, and not with a dot"),
        (
            "model/condition=attributes",
            "does not fit the labels of digits, one number an image: type model/condition=",
        ),
        ("model/condition=class data=shapes", "does not fit the labels of shapes, 6 entries an image: type model/cond"),
        ("data=shapes model/condition=value model.condition.of=[sizes]", "Did you mean 'size'?"),
        ("model/condition=class model.condition_drop=1", "model.condition_drop=1 is not possible: it must be a finite"),
        (
            "model.condition_drop=0.1",
            "condition_drop=0.1 leaves out labels, and this model is told none: type model/",
        ),
    ],
)
def test_what_is_not_possible_is_refused(arguments, said, tmp_path):
    assert said in refusal(*FAST, *arguments.split(), cwd=tmp_path)


def test_the_command_ends_with_that(tmp_path):
    wrong = {"model/objective=wgan_pg": "Did you mean 'wgan_gp'?", "model.d_steps=1.5": "model.d_steps=1.5 is not poss"}
    for argument, said in wrong.items():
        assert_refused(type_in("train", *FAST, "model=gan", argument, cwd=tmp_path), said)
