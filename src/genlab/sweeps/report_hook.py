"""The end of a sweep, whichever launcher runs it: its runs are ranked, and its report is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from genlab.command_line import typed
from genlab.errors import UsageError

if TYPE_CHECKING:
    from genlab.sweeps.sweep import LocalSweep

OURS = "hydra_plugins.genlab_launcher.LocalLauncher"


class Announced(Callback):
    """Hears from Hydra of a sweep that begins; `report_sweep` hears of its end.

    Args:
        swept: the keys that it varies, which are worked out here, for all of its runs.
    """

    config: ClassVar[DictConfig | None] = None  # of a sweep that has begun
    local: ClassVar["LocalSweep | None"] = None  # what our launcher runs

    def __init__(self, swept: Any = ()) -> None:
        self.swept = swept

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember it."""
        Announced.config = config


@contextmanager
def report_sweep() -> Iterator[None]:
    """Have a sweep that is run within it say at its end what has come of it, and leave a report.

    Hydra 1.3.8 calls `on_multirun_end` only where no error ends the sweep, be it of another launcher's run or a search.

    Raises:
        SystemExit: with 1 if a run has failed.
        UsageError: if there was none to run.
    """
    try:
        yield
    except Exception:
        _write_report()
        raise
    local, config = Announced.local, Announced.config
    if local and not local.runs and config and config.hydra.sweeper._target_.endswith("BasicSweeper"):
        raise UsageError("The sweep has no run: a glob, as in model=glob(vae*), matches none of the options.")
    exit_code = local.end() if local and local.runs else 0
    _write_report()
    if exit_code:
        raise SystemExit(exit_code)


def _write_report() -> None:
    """Rank the runs of the sweep, if there is one, and write its report, also to W&B if they are logged there."""
    config, local = Announced.config, Announced.local
    if config is None or "sweep" not in config or (config.hydra.launcher._target_ == OURS and not local):
        return
    folder = Path(config.hydra.sweep.dir)
    if not any(folder.rglob("summary.json")):
        return
    try:
        from genlab.report.wandb import log_report
        from genlab.report.write import print_ranking, write_report

        def publish(table: Any, out: Path) -> None:
            print_ranking(table, out / "report.html")
            if "wandb" in config.logger:
                log_report(table, out)

        write_report(folder, publish=publish)
    except Exception as error:  # the runs are what counts
        print(f"The report is not complete ({error}): try python src/report.py {typed('sweep', folder)}")
