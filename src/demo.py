"""Play with runs in a browser: `python src/demo.py run=logs/train/runs/DATE_TIME`."""

import genlab.entry  # isort: skip  # noqa: F401

from genlab.cli import command

main = command("demo", "genlab.commands.demo.demo", lists="run")

if __name__ == "__main__":
    main()
