"""From overrides to folders and commands."""

import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf
from settings import CONFIGS

from genlab.run.identity import register_resolvers
from genlab.sweeps.plan import SweepRun, plan, quoted


def run(folder, *hydra, **config):
    of_hydra = OmegaConf.create({"overrides": {"hydra": list(hydra)}})
    return SweepRun(["model=ae"], Path(folder), config, "1f0c2a3b", of_hydra)


@pytest.mark.parametrize(
    ("typed", "batch", "labels"),
    [
        (["seed=0", "model=ae,vae"], [["seed=0", "model=ae"], ["seed=0", "model=vae"]], ["model=ae", "model=vae"]),
        (["model=ae", "seed=1"], [["model=ae", "seed=1"]], ["model=ae seed=1"]),
        ([], [[]], ["all defaults"]),
    ],
)
def test_a_label_names_what_differs_and_nothing_that_does_not_bear_on_the_result(typed, batch, labels):
    register_resolvers()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        master = loader.load_configuration("train", [*typed, "sweep=s"], RunMode.MULTIRUN)
        assert [run.label for run in plan(loader, master, [[*o, "sweep=s"] for o in batch], 0)] == labels


def test_a_run_is_started_by_what_one_would_type(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "-cd", "mine", "--config-name=other", "model=ae,vae"])
    passed_on = ["hydra.verbose=true", "+hydra.job.env_set.A=b"]
    left = [
        "hydra.sweep.dir=x",
        "hydra/launcher=local",
        "hydra.launcher.n_jobs=2",
        "hydra.mode=MULTIRUN",
        "hydra.run.dir=y",
    ]
    where = ["--config-dir=mine", "--config-name=other"]
    training = run("/logs/s/c", *passed_on, *left, resume=None).command_line()
    assert training == [*where, "model=ae", *passed_on, "hydra.run.dir=/logs/s/c", "resume=auto", "sweep=s"]
    assert run("/logs/s/c").command_line() == [*where, "model=ae", "hydra.run.dir=/logs/s/c"]


def test_only_what_hydra_would_misread_is_quoted():
    assert quoted("/logs/2026-11-24_10-12-28/model-ae_1f0c2a3b") == "/logs/2026-11-24_10-12-28/model-ae_1f0c2a3b"
    assert [quoted(text) for text in ("1e5", "null", "a,b", "it's")] == ["'1e5'", "'null'", "'a,b'", r"'it\'s'"]


def test_hydra_reads_a_folder_of_any_name_as_it_is(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    odd = "/logs/it's, a=dir {x} $y [z] \\' #1/c"
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        overrides = run(odd, resume=None).command_line()
        config = compose("train", overrides, return_hydra_config=True)
    assert OmegaConf.to_container(config, resolve=False)["hydra"]["run"]["dir"] == odd
