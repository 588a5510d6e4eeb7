"""`hydra/sweeper=optuna`: what Hydra needs to know of it. Optuna itself is imported when a search begins."""

from collections.abc import Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from genlab.errors import UsageError


class OptunaSweeper(Sweeper):
    """Searches for the best values of some keys by trying them out.

    Args:
        **settings: see `genlab.search.settings.Settings`, and `configs/hydra/sweeper/optuna.yaml`.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands over; any launcher will do."""
        parts: dict[str, Any] = {"hydra_context": hydra_context, "task_function": task_function, "config": config}
        self.search = config, hydra_context.config_loader, Plugins.instance().instantiate_launcher(**parts)

    def sweep(self, arguments: Sequence[str]) -> None:
        """Search, or go on with the search that lies in the sweep's folder."""
        try:
            import optuna  # noqa: F401
        except ImportError as error:
            raise UsageError(f'hydra/sweeper=optuna needs Optuna: pip install "optuna>=5" ({error}).') from error
        from genlab.search.search import Search
        from genlab.search.settings import Settings

        Search(Settings.checked(**self.settings), arguments, *self.search).run()
