"""What training costs on this machine, measured by a run that ends within seconds."""

import os
import resource
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from statistics import fmean
from threading import Timer
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from genlab.files import write_json
from genlab.hardware import memory
from genlab.trainer.schedule import count_batches, is_ending, validate_again

TIMED = ("on_validation_epoch_end", "on_validation_end", "on_train_epoch_end")
WARM_UP = 3  # batches


class Probe(Callback):
    """Measures a run that is like others, writes what they will take, and ends it.

    Batches are timed for some seconds, and then what a run does at its end, twice, as the first time costs more. What
    callbacks do at intervals is timed apart, and counted as often as it will be due. Where that takes too long the
    process ends, and the cost is no more than a lower bound.

    Args:
        file: where the cost is written, as JSON: `seconds` of training, those that the probe itself has spent on it
            (`spent`), `bytes` of memory at most, how many there are (`available`), and whether it is a `bound`.
        seconds: of batches that are timed.
        deadline: seconds of training after which the process ends.
    """

    def __init__(self, file: str, seconds: float = 5.0, deadline: float = 15.0) -> None:
        self.file, self.seconds = Path(file), seconds
        self._end = Timer(deadline, self._leave)
        self._end.daemon = True
        self._spent: dict[tuple[Callback, str], list[float]] = {}  # by callbacks in their hooks, when all are due
        self._batches: list[float] = []
        self._is_stopping = False
        self._inside = self._unfinished = 0.0  # what callbacks took of a validation; what the deadline has cut off

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._trainer, self._start = trainer, self._now()
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            for hook in TIMED:
                setattr(callback, hook, self._timed((callback, hook), getattr(callback, hook)))
        self._end.start()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._last: float | None = self._now()

    def on_train_batch_end(self, *args: Any) -> None:
        now = self._now()
        if self._last is not None:
            self._batches.append(now - self._last)
        if len(self._batches) == WARM_UP:
            self._warm = now - self._start
        self._last = now
        is_over = len(self._batches) > WARM_UP and now - self._start > self.seconds
        if self._trainer.strategy.broadcast(is_over) and not is_ending(self._trainer):
            self._is_stopping = self._trainer.should_stop = True

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._last, self._validation, self._inside = None, self._now(), 0.0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._note((self, "validation"), self._now() - self._validation - self._inside)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._is_stopping:
            validate_again(trainer)
        self._write(is_bound=False)
        self._end.cancel()

    def _timed(self, key: tuple[Callback, str], call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any) -> Any:
            start = self._now()
            result = call(*args)
            self._note(key, self._now() - start)
            self._inside += self._now() - start
            return result

        return timed

    def _note(self, key: tuple[Callback, str], seconds: float) -> None:
        if self._is_stopping:
            self._spent.setdefault(key, []).append(seconds)

    def _now(self) -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return perf_counter()

    def _leave(self) -> None:
        """At the deadline, in a thread."""
        if self._last is None:
            self._unfinished = perf_counter() - self._validation
        self._write(is_bound=True)
        os._exit(0)

    def _write(self, is_bound: bool) -> None:
        spent = perf_counter() - self._start
        seconds = self._extrapolate() if self._is_stopping or is_bound else spent
        n_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        available = memory()
        if torch.cuda.is_available():
            n_bytes, available = torch.cuda.max_memory_reserved(), torch.cuda.mem_get_info()[1]
        if self._trainer.is_global_zero:
            cost = {"seconds": seconds, "spent": spent, "bytes": n_bytes, "available": available, "bound": is_bound}
            write_json(self.file, cost)

    def _extrapolate(self) -> float | None:
        """Seconds of the whole training; None if it has no end."""
        trainer, timed = self._trainer, self._batches[WARM_UP:]
        n_batches, n_validations = count_batches(trainer)
        if n_batches is None:
            return None
        if not timed:
            return n_batches * (perf_counter() - self._start) / (len(self._batches) + 1)
        seconds = self._warm + (n_batches - WARM_UP) * fmean(timed) + self._unfinished
        n_epochs = n_batches / max(1, int(trainer.num_training_batches))
        for (callback, hook), spent in self._spent.items():
            n = n_epochs if hook == "on_train_epoch_end" else n_validations
            if every := getattr(callback, "every_n_epochs", None):
                n = min(n, n_epochs / every)
            seconds += spent[0] + max(0, ceil(n) - 1) * spent[-1]
        return seconds
