"""Play with runs in a browser: `python src/demo.py run=logs/train/runs/DATE_TIME`."""

import genlab.entry  # isort: skip  # noqa: F401

from omegaconf import DictConfig

from genlab.cli import command


@command("demo", lists="run")
def main(cfg: DictConfig) -> None:
    """Serve the page; imports torch only now, so that --help answers at once."""
    from genlab.commands.demo import demo

    demo(cfg)


if __name__ == "__main__":
    main()
