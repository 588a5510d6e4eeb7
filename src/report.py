"""Compare the runs of a sweep on one page: `python src/report.py sweep=logs/train/sweeps/NAME`."""

import genlab.entry  # isort: skip  # noqa: F401

import hydra
from omegaconf import DictConfig

from genlab.cli import entry_point, job, several


@entry_point
@several("runs")
@hydra.main(version_base="1.3", config_path="../configs", config_name="report")
@job
def main(cfg: DictConfig) -> None:
    """Report; imports pandas and matplotlib only now, so that --help answers at once."""
    from genlab.report import report

    report(cfg)


if __name__ == "__main__":
    main()
