"""Where a run stands, said so that Lightning goes on from exactly there."""

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
    batches: Any = epoch_loop.batch_progress.current
    n_done, steps_logged = batches.processed, epoch_loop._batches_that_stepped
    is_closed = batches.ready > n_done or batches.completed == n_done  # `on_advance_end` has counted the batch
    if epochs.processed == epochs.started or n_done == 0:
        _before_epoch(loop, steps_logged)
    elif validating or (epoch_loop.batch_progress.is_last_batch and batches.ready == n_done):
        is_due = validating or epoch_loop._should_check_val_epoch()
        _before_validation(loop, n_done, steps_logged + (0 if is_due else 1))
    else:
        _within_epoch(loop, n_done, steps_logged - 1 if is_closed else steps_logged)


def _before_epoch(loop: dict[str, Any], steps_logged: int) -> None:
    """As if the next epoch had been announced and its first batch too; on restart that batch counts as logged."""
    for part in ("total", "current"):
        done = loop["epoch_progress"][part]["processed"]
        loop["epoch_progress"][part] = {"ready": done + 1, "started": done, "processed": done, "completed": done}
    batches = loop["epoch_loop.batch_progress"]
    done = batches["total"]["processed"]
    batches["total"] = {"ready": done + 1, "started": done, "processed": done, "completed": done}
    batches["current"] = _all(0)
    batches["is_last_batch"] = False
    loop["epoch_loop.val_loop.batch_progress"] |= {"total": _all(0), "current": _all(0)}
    _finish(loop, 0, steps_logged - 1, epoch=loop["epoch_progress"]["current"]["processed"])


def _within_epoch(loop: dict[str, Any], n_done: int, steps_logged: int) -> None:
    """As in `on_train_batch_end`, after which Lightning counts the batch."""
    _in_epoch(loop)
    batches = loop["epoch_loop.batch_progress"]
    done = batches["total"]["processed"]
    batches["total"] = {**_all(done), "completed": done - 1}
    batches["current"] = {**_all(n_done), "completed": n_done - 1}
    batches["is_last_batch"] = False
    _finish(loop, n_done, steps_logged)


def _before_validation(loop: dict[str, Any], n_done: int, steps_logged: int) -> None:
    """As if the validation had been interrupted at its first batch."""
    _in_epoch(loop)
    batches = loop["epoch_loop.batch_progress"]
    batches["total"], batches["current"] = _all(batches["total"]["processed"]), _all(n_done)
    begun = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
    loop["epoch_loop.val_loop.batch_progress"] |= {"total": begun, "current": _all(0)}
    _finish(loop, n_done, steps_logged)


def _in_epoch(loop: dict[str, Any]) -> None:
    for part in ("total", "current"):
        done = loop["epoch_progress"][part]["processed"]
        loop["epoch_progress"][part] = {"ready": done + 1, "started": done + 1, "processed": done, "completed": done}


def _finish(loop: dict[str, Any], n_done: int, steps_logged: int, epoch: int | None = None) -> None:
    loop["epoch_loop.state_dict"]["_batches_that_stepped"] = steps_logged
    for loader in loop["state_dict"].get("combined_loader", []):
        if "position" in loader:  # a `BatchLoader`
            loader["position"] = n_done
            loader["epoch"] = loader["epoch"] if epoch is None else epoch


def _all(n: int) -> dict[str, int]:
    return {"ready": n, "started": n, "processed": n, "completed": n}
