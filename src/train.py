"""Train a model: `python src/train.py model=gan data=digits`. `--help` lists what there is to choose."""

import genlab.entry  # isort: skip  # noqa: F401

from genlab.cli import command

main = command("train", "genlab.commands.train.train")

if __name__ == "__main__":
    main()
