"""The end of a sweep, whichever launcher runs it: what has come of it is said, and its report is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from genlab.command_line import typed

if TYPE_CHECKING:
    from genlab.sweeps.sweep import LocalSweep

OURS = "hydra_plugins.genlab_launcher.LocalLauncher"


class Announced(Callback):
    """Hears from Hydra of a sweep that begins and ends.

    Args:
        swept: the keys that it varies, which are worked out here, for all of its runs.
    """

    begun: ClassVar["Announced | None"] = None  # and not ended: Hydra hands its callbacks to nobody else

    def __init__(self, swept: Any = ()) -> None:
        self.swept = swept
        self.local: LocalSweep | None = None  # what our launcher runs

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember it."""
        self._config = config
        Announced.begun = self

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Say what has come of it.

        Raises:
            SystemExit: with 1 if a run has failed. (Hydra catches all that is an Exception.)
        """
        exit_code = self.local.end() if self.local and self.local.runs else 0
        self.report()
        if exit_code:
            raise SystemExit(exit_code)

    def report(self) -> None:
        """Write the report of a sweep of training runs, and log it to W&B if they are logged there."""
        Announced.begun = None
        folder = Path(self._config.hydra.sweep.dir)
        is_refused = self._config.hydra.launcher._target_ == OURS and not (self.local and self.local.runs)
        if "sweep" not in self._config or is_refused or not any(folder.rglob("summary.json")):
            return
        try:
            from genlab.report import write_report
            from genlab.report.wandb import log_report

            print("Report:", write_report(folder, publish=log_report if "wandb" in self._config.logger else None))
        except Exception as error:  # the runs are what counts
            print(f"The report is not complete ({error}): try python src/report.py {typed('sweep', folder)}")


@contextmanager
def report_on_error() -> Iterator[None]:
    """Have a sweep that an error ends leave its report too.

    Hydra 1.3.8 calls `on_multirun_end` behind `sweeper.sweep(...)` and not in a `finally`: an error of another
    launcher's run, or of a search, passes it by.
    """
    try:
        yield
    except Exception:
        if Announced.begun:
            Announced.begun.report()
        raise
