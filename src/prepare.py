"""Prepare a data set ahead of training: `python src/prepare.py data=celeba`."""

import genlab.entry  # isort: skip  # noqa: F401

from genlab.cli import command

main = command("prepare", "genlab.commands.prepare.prepare")

if __name__ == "__main__":
    main()
