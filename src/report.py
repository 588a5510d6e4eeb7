"""Compare the runs of a sweep on one page: `python src/report.py sweep=logs/train/sweeps/NAME`."""

import genlab.entry  # isort: skip  # noqa: F401

from genlab.cli import command

main = command("report", "genlab.report.report", lists="runs")

if __name__ == "__main__":
    main()
