"""Evaluate runs, or a folder of images: `python src/eval.py run=logs/train/runs/DATE_TIME`."""

import genlab.entry  # isort: skip  # noqa: F401

from genlab.cli import command

main = command("eval", "genlab.commands.evaluate.evaluate", lists="run explain")

if __name__ == "__main__":
    main()
