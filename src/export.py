"""Write a run as a folder that needs no genlab: `python src/export.py run=logs/train/runs/DATE_TIME to=FOLDER`."""

import genlab.entry  # isort: skip  # noqa: F401

from omegaconf import DictConfig

from genlab.cli import command


@command("export")
def main(cfg: DictConfig) -> None:
    """Export; imports torch only now, so that --help answers at once."""
    from genlab.commands.export import export

    export(cfg)


if __name__ == "__main__":
    main()
