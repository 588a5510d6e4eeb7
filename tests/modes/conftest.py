"""Runs that are loaded once, to look at."""

import pytest
from settings import config

from genlab.commands.load import load_run
from genlab.commands.sample import sample


@pytest.fixture(scope="session")
def vae(vae_run):
    """A VAE of 64 training and 64 test digits."""
    return load_run(str(vae_run.path))


@pytest.fixture(scope="session")
def gan(gan_run):
    """A GAN of the same."""
    return load_run(str(gan_run.path))


@pytest.fixture
def look(tmp_path):
    """Look at a run as `sample.py` does; returns the file."""

    def draw(run, *typed):
        return sample(config(f"run={run.path}", *typed, run_dir=tmp_path, name="sample"))

    return draw
