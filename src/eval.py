"""Evaluate runs, or a folder of images: `python src/eval.py run=logs/train/runs/DATE_TIME`."""

import genlab.entry  # isort: skip  # noqa: F401

from omegaconf import DictConfig

from genlab.cli import command


@command("eval", lists="run")
def main(cfg: DictConfig) -> None:
    """Evaluate; imports torch only now, so that --help answers at once."""
    from genlab.commands.evaluate import evaluate

    evaluate(cfg)


if __name__ == "__main__":
    main()
