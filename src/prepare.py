"""Prepare a data set ahead of training: `python src/prepare.py data=celeba`."""

import genlab.entry  # isort: skip  # noqa: F401

from omegaconf import DictConfig

from genlab.cli import command


@command("prepare")
def main(cfg: DictConfig) -> None:
    """Prepare; imports torch only now, so that --help answers at once."""
    from genlab.commands.prepare import prepare

    prepare(cfg)


if __name__ == "__main__":
    main()
