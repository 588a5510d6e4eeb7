"""Fit a density to the codes of a run: `python src/prior.py run=logs/train/runs/DATE_TIME prior=mixture`."""

import genlab.entry  # isort: skip  # noqa: F401

from genlab.cli import command

main = command("prior", "genlab.commands.prior.fit_prior")

if __name__ == "__main__":
    main()
