"""Train a model: `python src/train.py model=gan data=digits`. `--help` lists what there is to choose."""

import genlab.entry  # isort: skip  # noqa: F401

from omegaconf import DictConfig

from genlab.cli import command


@command("train")
def main(cfg: DictConfig) -> float | None:
    """Train; imports torch only now, so that --help answers at once."""
    from genlab.commands.train import train

    return train(cfg)


if __name__ == "__main__":
    main()
