"""All that a resumed run needs to continue as if it had never stopped."""

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

from genlab.distributed import gathered
from genlab.errors import UsageError
from genlab.run.checkpoint import explain_damage

log = logging.getLogger(__name__)


class ResumeState(Callback):
    """Adds to every checkpoint what Lightning leaves out, and restores it when a run is resumed.

    That is the random state of each process and its number of threads, which decides in which order numbers are added
    up; what a model knows besides its weights, the rows of `metrics.csv`, the newest metrics, and an exact position in
    the loops. It stands first among the callbacks, so that in a validation it knows the state that they had before.

    Args:
        config: the resolved configuration, plain containers, so that the file alone is enough to rebuild the model.
        count_rows: brings the rows of `metrics.csv` to the disk and counts them.
    """

    def __init__(self, config: dict[str, Any], count_rows: Callable[[], int | None] = lambda: None) -> None:
        self.config, self.count_rows = config, count_rows
        self._before_batch: dict[str, Any] = {}  # what the current batch changes before the weights
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
        states = {callback.state_key: callback.state_dict() for callback in trainer.callbacks}  # type: ignore[attr-defined]
        self._before_validation = deepcopy({key: state for key, state in states.items() if state})

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._before_validation = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Called on all processes; what each of them knows alone is gathered."""
        checkpoint["config"] = self.config
        if trainer.state.fn != TrainerFn.FITTING:
            return
        progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current
        own, images_seen = _random_state(pl_module.device), pl_module.images_seen
        own |= {"model": pl_module.rank_state(), "n_threads": torch.get_num_threads()}
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
            return  # it has just ended, where Lightning's own state is right
        _set_position(checkpoint["loops"]["fit_loop"], trainer, self._before_validation is not None)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep it until training starts: setting models up draws random numbers."""
        self._loaded = checkpoint.get("resume", {})
        self._n_optimizers = len(checkpoint["optimizer_states"])
        if not self._loaded:
            rank_zero_only(log.warning)(
                "The checkpoint was written before random states were kept: the run goes on with new ones, and "
                "with the position, weights, optimisers and counters that the file holds."
            )
            return
        if (n := len(self._loaded["processes"])) != trainer.world_size:
            raise UsageError(
                f"The checkpoint was written by {n} process(es) and can't be resumed by {trainer.world_size}: type "
                f"trainer.devices={n // trainer.num_nodes or 1}."
            )
        before, now = self._loaded["processes"][trainer.global_rank].get("n_threads"), torch.get_num_threads()
        if before not in (None, now):
            text = "The run keeps its %d thread(s), as its end depends on that: here it would have %d."
            rank_zero_only(log.info)(text, before, now)
            torch.set_num_threads(before)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        if self._n_optimizers is not None:
            if self._n_optimizers != len(trainer.optimizers):
                raise ValueError(f"it holds {self._n_optimizers} optimisers, not {len(trainer.optimizers)}")
            groups = [
                (optimizer.defaults, group) for optimizer in trainer.optimizers for group in optimizer.param_groups
            ]
            if lacking := {key for defaults, group in groups for key in defaults.keys() - group.keys()}:
                raise ValueError(f"its optimisers lack {', '.join(sorted(lacking))}")
        if self._loaded:
            own = self._loaded["processes"][trainer.global_rank]
            pl_module.load_rank_state(own["model"])
            pl_module.images_seen = self._loaded["images_seen"]
            trainer.callback_metrics.update(self._loaded["metrics"])
            _set_random_state(own)
            self._loaded = {}


def explain_restoring(trainer: Trainer, checkpoint: Path) -> None:
    """Have a trainer say in one sentence what is wrong with a checkpoint that it restores."""
    connector: Any = trainer._checkpoint_connector  # of Lightning 2.6.6; security/test_poison.py
    state = next(callback for callback in trainer.callbacks if isinstance(callback, ResumeState))  # type: ignore[attr-defined]
    for where, name in (
        (connector, "_restore_modules_and_callbacks"),
        (connector, "restore_training_state"),
        (state, "on_train_start"),
    ):
        setattr(where, name, explain_damage(checkpoint)(getattr(where, name)))


def _random_state(device: torch.device) -> dict[str, Any]:
    """Of PyTorch on the CPU and this process's GPU, NumPy and Python: tensors and plain containers."""
    numpy_state: Any = np.random.get_state()  # noqa: NPY002
    kind, keys, *rest = numpy_state
    version, internal, gauss = random.getstate()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), *rest),
        "python": (version, torch.tensor(internal), gauss),
    }
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal.tolist()), gauss))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _set_position(loop: dict[str, Any], trainer: Trainer, validating: bool) -> None:
    """Change the state of Lightning's fit loop in a checkpoint so that it is right wherever it was taken.

    Lightning's own is right in some hooks alone: elsewhere it leaves out the validation after the last batch, counts an
    epoch twice where `max_steps` is set, or moves the x axis by one. There are three places: before an epoch, after
    some of its batches, and before the validation that follows some batches. A batch that is not finished counts as
    not begun.

    Args:
        loop: `checkpoint["loops"]["fit_loop"]`, changed in place.
        trainer: whose state it is.
        validating: whether a validation has begun that has not ended.
    """
    epoch_loop = trainer.fit_loop.epoch_loop
    epochs: Any = trainer.fit_loop.epoch_progress.current
    current: Any = epoch_loop.batch_progress.current
    n_done, n_logged = current.processed, epoch_loop._batches_that_stepped
    batches, validation = loop["epoch_loop.batch_progress"], loop["epoch_loop.val_loop.batch_progress"]
    n_total = batches["total"]["processed"]
    is_before_epoch = epochs.processed == epochs.started or n_done == 0
    if is_before_epoch:  # as if it and its first batch had been announced: on restart that batch counts as logged
        n_done, n_logged = 0, n_logged - 1
        batches |= {"total": _at(n_total, ready=1), "current": _at(0), "is_last_batch": False}
        validation |= {"total": _at(0), "current": _at(0)}
    elif validating or (epoch_loop.batch_progress.is_last_batch and current.ready == n_done):
        # as if the validation had been interrupted at its first batch
        n_logged += 0 if validating or epoch_loop._should_check_val_epoch() else 1
        batches |= {"total": _at(n_total), "current": _at(n_done)}
        validation |= {"total": _at(0, ready=1, started=1), "current": _at(0)}
    else:  # as in `on_train_batch_end`, after which Lightning counts the batch: if it has, `on_advance_end` is over
        n_logged -= current.ready > n_done or current.completed == n_done
        batches |= {"total": _at(n_total, completed=-1), "current": _at(n_done, completed=-1), "is_last_batch": False}
    for part, progress in loop["epoch_progress"].items():
        loop["epoch_progress"][part] = _at(progress["processed"], ready=1, started=0 if is_before_epoch else 1)
    loop["epoch_loop.state_dict"]["_batches_that_stepped"] = n_logged
    for loader in loop["state_dict"].get("combined_loader", []):
        if "position" in loader:  # a `BatchLoader`
            loader["position"] = n_done
            if is_before_epoch:
                loader["epoch"] = loop["epoch_progress"]["current"]["processed"]


def _at(n: int, ready: int = 0, started: int = 0, completed: int = 0) -> dict[str, int]:
    return {"ready": n + ready, "started": n + started, "processed": n, "completed": n + completed}
