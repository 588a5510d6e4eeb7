"""Draw a picture of a run: `python src/sample.py run=logs/train/runs/DATE_TIME mode=grid`."""

import genlab.entry  # isort: skip  # noqa: F401

import hydra
from omegaconf import DictConfig

from genlab.cli import entry_point, job


@entry_point
@hydra.main(version_base="1.3", config_path="../configs", config_name="sample")
@job
def main(cfg: DictConfig) -> None:
    """Draw; imports torch only now, so that --help answers at once."""
    from genlab.commands.sample import sample

    sample(cfg)


if __name__ == "__main__":
    main()
