"""The end of a sweep, which Hydra does not announce: whatever a command has begun is brought to its end here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from genlab.command_line import typed

OURS = "hydra_plugins.genlab_launcher.LocalLauncher"

begun: list[Any] = []  # the sweeps of this command that our launcher runs: none, or one
configs: list[DictConfig] = []  # of the sweeps of this command, whichever launcher runs them


class Announced(Callback):
    """Hears from Hydra of a sweep that begins, whichever launcher runs it.

    Args:
        swept: the keys that it varies, which are worked out here, for all of its cells.
    """

    def __init__(self, swept: Any = ()) -> None:
        self.swept = swept

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember it."""
        configs.append(config)


@contextmanager
def swept() -> Iterator[None]:
    """Run a command; if it was a sweep, say what has come of it, failures or not.

    Raises:
        SystemExit: with 1 if a cell has failed.
    """
    try:
        yield
    except SystemExit as left:
        _end()
        if not _is_signal(left.code):  # whoever stops a sweep does not want to wait
            _report()
        raise
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception:
        _report()  # of another launcher's cells, one of which has failed
        raise
    code = _end()
    _report()
    if code:
        raise SystemExit(code)


def _end() -> int:
    return max((sweep.end() for sweep in begun if sweep.runs), default=0)


def _is_signal(code: Any) -> bool:
    return isinstance(code, int) and code > 128


def _report() -> None:
    """Write the report of a sweep of training runs, and log it to W&B if they are logged there."""
    for config in configs:
        folder = Path(config.hydra.sweep.dir)
        is_refused = config.hydra.launcher._target_ == OURS and not any(sweep.runs for sweep in begun)
        if "sweep" in config and not is_refused and any(folder.rglob("summary.json")):
            try:
                print("Report:", _written(folder, "wandb" in config.logger))
            except Exception as error:  # the cells are what counts
                print(f"The report is not complete ({error}): try python src/report.py {typed('sweep', folder)}")


def _written(folder: Path, is_in_wandb: bool) -> Path:
    from genlab.report import write_report
    from genlab.report.to_wandb import log_report

    return write_report(folder, publish=log_report if is_in_wandb else None)
