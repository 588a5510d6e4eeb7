"""The definition for `wandb sweep`, by the means of W&B's own agent."""

from itertools import product

import pytest
from omegaconf import OmegaConf
from settings import ROOT, config

SWEEP = OmegaConf.to_container(OmegaConf.create((ROOT / "docs" / "wandb_sweep.yaml").read_text()), resolve=False)


@pytest.mark.slow
def test_each_command_of_the_agent_is_one_that_training_understands():
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    values = {name: parameter["values"] for name, parameter in SWEEP["parameters"].items()}
    for combination in product(*values.values()):
        args = {name: {"value": value} for name, value in zip(values, combination, strict=True)}
        typed = create_sweep_command_args({"args": args})["args_no_hyphens"]
        cfg = config("logger=wandb", *typed)
        assert cfg.model.latent_dim == args["model.latent_dim"]["value"]
        assert cfg.data.name == args["data"]["value"]


def test_it_runs_this_project_and_minimises_the_score(vae_run):
    assert (ROOT / SWEEP["program"]).is_file()
    assert SWEEP["command"] == ["${env}", "${interpreter}", "${program}", "logger=wandb", "${args_no_hyphens}"]
    assert SWEEP["metric"]["goal"] == "minimize"
    assert SWEEP["metric"]["name"] in (vae_run.path / "metrics.csv").read_text().partition("\n")[0].split(",")
