"""The launcher of sweeps as Hydra sees it. Hydra imports this at every start, so it imports nothing heavy."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LocalLauncher(Launcher):
    """Starts each run of a sweep as if it had been typed alone, in a process of its own: see `genlab.sweeps`."""

    def __init__(self, n_jobs: Any = None, gpus_per_job: Any = None) -> None:
        self._limits = (n_jobs, gpus_per_job)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Lock the sweep's folder, before a sweeper writes into it."""
        from genlab.sweeps.report_hook import Announced
        from genlab.sweeps.sweep import LocalSweep

        self._sweep = Announced.local = LocalSweep(hydra_context.config_loader, config, *self._limits)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a batch, and return the newest score of each. A run that fails ends no sweep: its `status` says so."""
        return self._sweep.launch(job_overrides, initial_job_idx)

    def serve(self, *given: Any) -> None:
        """Run what a search asks for as soon as there is room for it: see `LocalSweep.serve`."""
        self._sweep.serve(*given)
