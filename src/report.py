"""Compare the runs of a sweep on one page: `python src/report.py sweep=logs/train/sweeps/NAME`."""

import genlab.entry  # isort: skip  # noqa: F401

from omegaconf import DictConfig

from genlab.cli import command


@command("report", lists="runs")
def main(cfg: DictConfig) -> None:
    """Report; imports pandas and matplotlib only now, so that --help answers at once."""
    from genlab.report import report

    report(cfg)


if __name__ == "__main__":
    main()
