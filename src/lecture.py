"""The lecture proves itself: `python src/lecture.py` writes a page with an experiment and a verdict for each claim."""

import genlab.entry  # isort: skip  # noqa: F401

from genlab.cli import command

main = command("lecture", "genlab.commands.lecture.measure_claims", lists="only")

if __name__ == "__main__":
    main()
