"""Draw a picture of a run: `python src/sample.py run=logs/train/runs/DATE_TIME mode=grid`."""

import genlab.entry  # isort: skip  # noqa: F401

from omegaconf import DictConfig

from genlab.cli import command


@command("sample")
def main(cfg: DictConfig) -> None:
    """Draw; imports torch only now, so that --help answers at once."""
    from genlab.commands.sample import sample

    sample(cfg)


if __name__ == "__main__":
    main()
