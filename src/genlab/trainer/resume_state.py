"""All that a resumed run needs to go on as if it had never stopped."""

import logging
import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_only
from torch.optim import Optimizer

from genlab.distributed import gathered
from genlab.errors import UsageError
from genlab.run.checkpoint import explain_damage
from genlab.trainer.loop_state import set_position

log = logging.getLogger(__name__)


class ResumeState(Callback):
    """Puts into every checkpoint what Lightning leaves out, and takes it up when a run is resumed.

    That is the random state of each process and its number of threads, which decides in which order numbers are added
    up; what a model knows besides its weights, the rows of `metrics.csv`, the newest metrics, and an exact position in
    the loops. It stands first among the callbacks, so that in a validation it knows the state that they had before.

    Args:
        config: the resolved configuration, plain containers, so that the file alone is enough to rebuild the model.
        count_rows: brings the rows of `metrics.csv` to the disk and counts them.
    """

    def __init__(self, config: dict[str, Any], count_rows: Callable[[], int | None] = lambda: None) -> None:
        self.config, self.count_rows = config, count_rows
        self._before_batch: dict[str, Any] = {}  # what the batch that goes on changes before its weights
        self._before_validation: dict[str, Any] | None = None  # the callbacks' state, while there is a validation
        self._loaded: dict[str, Any] = {}
        self._n_optimizers: int | None = None  # in the checkpoint; None where there is none

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Note what the batch is about to change: should an error end it, it is repeated with the same noise."""
        self._before_batch = {
            "images_seen": pl_module.images_seen,
            "noise": pl_module.noise.get_state(),
            "torch": torch.get_rng_state(),
        }

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what the validation is about to change."""
        states = {callback.state_key: callback.state_dict() for callback in trainer.callbacks}  # type: ignore[attr-defined]
        self._before_validation = deepcopy({key: state for key, state in states.items() if state})

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The validation counts."""
        self._before_validation = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Called on all processes; what each of them knows alone is gathered."""
        checkpoint["config"] = self.config
        if trainer.state.fn != TrainerFn.FITTING:
            return
        progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current
        own, images_seen = _random_state(pl_module) | _facts(pl_module), pl_module.images_seen
        if progress.started > progress.processed:  # in the middle of a batch
            images_seen, own["torch"] = self._before_batch["images_seen"], self._before_batch["torch"]
            own["model"]["noise"] = self._before_batch["noise"]
        checkpoint["resume"] = {
            "processes": gathered(own),
            "images_seen": images_seen,
            "rows": self.count_rows(),
            "metrics": {key: value.detach().cpu() for key, value in trainer.callback_metrics.items()},
        }
        if self._before_validation is not None:
            checkpoint["callbacks"] |= self._before_validation
        elif trainer.validating:
            return  # it has just ended: Lightning goes on there by itself
        set_position(checkpoint["loops"]["fit_loop"], trainer, self._before_validation is not None)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep it until training starts: setting models up draws random numbers.

        Raises:
            UsageError: if the checkpoint is of another number of processes, which divide the data in another way.
        """
        _check_counts(checkpoint["loops"]["fit_loop"], trainer.fit_loop.state_dict())
        self._loaded = checkpoint.get("resume", {})
        self._n_optimizers = len(checkpoint["optimizer_states"])
        if not self._loaded:
            if trainer.is_global_zero:
                log.warning(
                    "The checkpoint was written before random states were kept: the run goes on with new ones, and "
                    "with the position, weights, optimisers and counters that the file holds."
                )
        elif (n := len(self._loaded["processes"])) != trainer.world_size:
            raise UsageError(
                f"The checkpoint was written by {n} process(es) and can't be resumed by {trainer.world_size}: type "
                f"trainer.devices={n // trainer.num_nodes or 1}."
            )
        else:
            _set_threads(self._loaded["processes"][trainer.global_rank].get("n_threads"))

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Take it up."""
        if self._n_optimizers not in (None, len(trainer.optimizers)):
            raise ValueError(f"it holds states of {self._n_optimizers} optimisers, not of {len(trainer.optimizers)}")
        for optimizer in trainer.optimizers if self._n_optimizers else ():
            _check_groups(optimizer)
        if self._loaded:
            mine = self._loaded["processes"][trainer.global_rank]
            pl_module.load_rank_state(mine["model"])
            pl_module.images_seen = self._loaded["images_seen"]
            trainer.callback_metrics.update(self._loaded["metrics"])
            _set_random_state(mine)
            self._loaded = {}


def explain_restoring(trainer: Trainer, checkpoint: Path) -> None:
    """Have a trainer say in one sentence what is wrong with a checkpoint that it takes up."""
    connector: Any = trainer._checkpoint_connector  # of Lightning 2.6.6; security/test_poison.py
    state = next(callback for callback in trainer.callbacks if isinstance(callback, ResumeState))  # type: ignore[attr-defined]
    for where, name in (
        (connector, "_restore_modules_and_callbacks"),
        (connector, "restore_training_state"),
        (state, "on_train_start"),
    ):
        setattr(where, name, explain_damage(checkpoint)(getattr(where, name)))


def _facts(pl_module: Any) -> dict[str, Any]:
    return {"model": pl_module.rank_state(), "n_threads": torch.get_num_threads()}


@rank_zero_only
def _say_threads(before: int) -> None:
    now = torch.get_num_threads()
    log.info("The run keeps its %d thread(s), as its end depends on that: here it would have %d.", before, now)


def _set_threads(n: int | None) -> None:
    """Take as many threads as a checkpoint was written with; one of an earlier version does not know."""
    if n is not None and n != torch.get_num_threads():
        _say_threads(n)
        torch.set_num_threads(n)


def _check_counts(found: Any, own: dict[str, Any]) -> None:
    """Raise a ValueError unless a position in a training has numbers where one of Lightning's own has some."""
    for name, count in own.items():
        part = found.get(name, count)
        if isinstance(count, dict):
            _check_counts(part, count)
        elif not isinstance(part, int):
            raise ValueError(f"{name} is no number")


def _check_groups(optimizer: Optimizer) -> None:
    """Raise a ValueError unless an optimiser has numbers wherever it has some by default; switches may be missing."""
    numbers = {name: value for name, value in optimizer.defaults.items() if type(value) in (int, float, tuple)}
    for group in optimizer.param_groups:
        for name, default in numbers.items():
            kinds = (tuple, list) if isinstance(default, tuple) else (int, float, torch.Tensor)
            if not isinstance(group.get(name), kinds):
                raise ValueError(f"{name} of an optimiser is missing, or no number")


def _random_state(pl_module: LightningModule) -> dict[str, Any]:
    """Of PyTorch on the CPU and this process's GPU, NumPy and Python: tensors and plain containers."""
    numpy_state: Any = np.random.get_state()  # noqa: NPY002
    kind, keys, *rest = numpy_state
    version, internal, gauss = random.getstate()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), *rest),
        "python": (version, torch.tensor(internal), gauss),
    }
    return state | ({"cuda": torch.cuda.get_rng_state(pl_module.device)} if pl_module.device.type == "cuda" else {})


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal.tolist()), gauss))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
