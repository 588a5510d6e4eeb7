"""Distributed training of models with one optimiser or several, which ends where one of its processes dies."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch.overrides.distributed import _sync_module_states
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch.optim import Optimizer

from genlab.bounds import PositiveInt
from genlab.distributed import average_gradients
from genlab.trainer.watch import known_to_children, waiting_for_the_watch, watching_children


class DDP(DDPStrategy):
    """Lightning's DDP, which in models that step several optimisers by hand averages gradients before each step.

    There a backward pass of D leaves G's parameters unused. PyTorch's DDP would look for those in the graph, and send
    the gradients of all after each backward pass: for two players twice as much, for each batch of an update.

    Args:
        bucket_cap_mb: gradients that are sent together, in MB; None for PyTorch's choice. As the other three an option
            of `DistributedDataParallel`, without effect where several optimisers step.
        gradient_as_bucket_view: whether gradients lie where they are sent from, which saves a copy of them.
        **kwargs: `DDPStrategy`'s.
    """

    def __init__(
        self,
        bucket_cap_mb: PositiveInt | None = None,
        find_unused_parameters: bool = False,
        gradient_as_bucket_view: bool = True,
        static_graph: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            bucket_cap_mb=bucket_cap_mb,
            find_unused_parameters=find_unused_parameters,
            gradient_as_bucket_view=gradient_as_bucket_view,
            static_graph=static_graph,
            **kwargs,
        )

    def configure_ddp(self) -> None:
        assert self.lightning_module is not None
        if self.lightning_module.automatic_optimization:
            super().configure_ddp()
        else:
            _sync_module_states(self.lightning_module)

    def optimizer_step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Step one of the optimisers, whose gradients are averaged over all processes, by DDP or here."""
        assert self.lightning_module is not None
        if not self.lightning_module.automatic_optimization:
            average_gradients(p for group in optimizer.param_groups for p in group["params"])
        return super().optimizer_step(optimizer, *args, **kwargs)

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
