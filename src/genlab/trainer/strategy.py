"""Distributed training of models with one optimiser or several, which ends where one of its processes dies."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from genlab.trainer.watch import known_to_children, waiting_for_the_watch, watching_children


class DDP(DDPStrategy):
    """Lightning's DDP, which looks for unused parameters only in models that step several optimisers by hand.

    There a step of D leaves G's parameters unused, and DDP would wait for their gradients for ever. Elsewhere the
    search costs a walk through the graph at every step.
    """

    def configure_ddp(self) -> None:
        assert self.lightning_module is not None
        if not self.lightning_module.automatic_optimization:
            self._ddp_kwargs["find_unused_parameters"] = True
        super().configure_ddp()

    def _configure_launcher(self) -> None:
        super()._configure_launcher()
        if isinstance(self._launcher, _SubprocessScriptLauncher):
            assert self.cluster_environment is not None
            self._launcher = Launcher(self.cluster_environment, self.num_processes, self.num_nodes)


class Launcher(_SubprocessScriptLauncher):
    """Lightning's launcher, with a watch in each process in place of its own.

    (Lightning's kills the first process without a word, and looks after the others not at all: they would outlive it.)
    Processes that torchrun or SLURM has started are watched by these; those that we start watch rank 0 by themselves.
    """

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        """Start the other processes, unless they have been started, and call the function."""
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        run_dir = Path(trainer.default_root_dir)
        watching: AbstractContextManager[None] = waiting_for_the_watch()
        if not self.cluster_environment.creates_processes_externally:
            with known_to_children(run_dir):
                self._call_children_scripts()
            watching = watching_children(self.procs, run_dir)
        _set_num_threads_if_needed(self.num_processes)
        with watching:
            return function(*args, **kwargs)
