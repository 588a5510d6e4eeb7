"""The lecture proves itself: `python src/lecture.py` writes a page with an experiment and a verdict for each claim."""

import genlab.entry  # isort: skip  # noqa: F401

from omegaconf import DictConfig

from genlab.cli import command


@command("lecture", lists="only")
def main(cfg: DictConfig) -> None:
    """Measure; imports torch only now, so that --help answers at once."""
    from genlab.commands.lecture import measure_claims

    measure_claims(cfg)


if __name__ == "__main__":
    main()
