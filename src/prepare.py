"""Prepare a data set ahead of training: `python src/prepare.py data=celeba`."""

import genlab.entry  # isort: skip  # noqa: F401

import hydra
from omegaconf import DictConfig

from genlab.cli import entry_point, job


@entry_point
@hydra.main(version_base="1.3", config_path="../configs", config_name="prepare")
@job
def main(cfg: DictConfig) -> None:
    """Prepare; imports torch only now, so that --help answers at once."""
    from genlab.commands.prepare import prepare

    prepare(cfg)


if __name__ == "__main__":
    main()
