"""Draw a picture of a run: `python src/sample.py run=logs/train/runs/DATE_TIME mode=grid`."""

import genlab.entry  # isort: skip  # noqa: F401

from genlab.cli import command

main = command("sample", "genlab.commands.sample.sample")

if __name__ == "__main__":
    main()
