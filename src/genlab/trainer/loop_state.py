"""The position of a run in Lightning's loops, stored so that a resumed run continues exactly there."""

from typing import Any

from lightning.pytorch import Trainer


def set_position(loop: dict[str, Any], trainer: Trainer, validating: bool) -> None:
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
