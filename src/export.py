"""Write a run as a folder that needs no genlab: `python src/export.py run=logs/train/runs/DATE_TIME to=FOLDER`."""

import genlab.entry  # isort: skip  # noqa: F401

from genlab.cli import command

main = command("export", "genlab.commands.export.export")

if __name__ == "__main__":
    main()
