"""Evaluate runs, or a folder of images: `python src/eval.py run=logs/train/runs/DATE_TIME`."""

import genlab.entry  # isort: skip  # noqa: F401

import hydra
from omegaconf import DictConfig

from genlab.cli import entry_point, job, several


@entry_point
@several("run")
@hydra.main(version_base="1.3", config_path="../configs", config_name="eval")
@job
def main(cfg: DictConfig) -> None:
    """Evaluate; imports torch only now, so that --help answers at once."""
    from genlab.commands.evaluate import evaluate

    evaluate(cfg)


if __name__ == "__main__":
    main()
