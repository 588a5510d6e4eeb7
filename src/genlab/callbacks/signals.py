"""Signals that ask a run to stop or to save."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer

log = logging.getLogger(__name__)

STOPS = (signal.SIGTERM, signal.SIGINT)
SAVES = getattr(signal, "SIGUSR1", None)  # there is none on Windows
REQUEUES = getattr(signal, "SIGUSR2", None)  # where somebody handles it, as submitit does, who starts the job again


class Signals(Callback):
    """Ends a run after the step that goes on when SIGTERM or SIGINT arrives; SIGUSR1 asks for a checkpoint.

    A handler takes notes alone. After each step all processes look at the notes of all of them, so that they leave
    together, whichever of them was sent the signal. (Lightning's own handler broadcasts within a signal handler, which
    may fall between any two operations of another process, and has the first process leave a step early.) A second
    SIGINT ends the processes at once.
    """

    def __init__(self) -> None:
        self.stop = 0  # the signal that has asked this process to stop
        self.save = False  # whether this process wants a checkpoint
        self.agreed_stop, self.agreed_save = 0, False  # what all processes know
        self._trainer: Trainer | None = None  # while it trains
        self._group: Any = None
        self._before: dict[int, Any] = {}  # handlers that this one stands in for

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle signals in here; in a thread besides the main one Python allows none."""
        if threading.current_thread() is threading.main_thread():
            numbers = [n for n in (*STOPS, SAVES) if n is not None]
            if REQUEUES is not None and callable(signal.getsignal(REQUEUES)):
                numbers.append(REQUEUES)
            self._before = {n: signal.signal(n, self._note) for n in numbers}
        try:
            yield
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            self._before = {}

    @property
    def exit_code(self) -> int:
        """128 and the signal's number. Processes that Lightning started say 0, or it would kill the first one."""
        first = self._trainer is None or self._trainer.is_global_zero
        return 128 + (self.agreed_stop or self.stop or signal.SIGTERM) if first else 0

    def leave(self) -> NoReturn:
        """End a run that has stopped and saved: whoever asked for it is told first, and may start the job again.

        Raises:
            SystemExit: with 128 and the signal's number.
        """
        requeue = self._before.get(self.agreed_stop) if self.agreed_stop == REQUEUES else None
        if callable(requeue):
            requeue(self.agreed_stop, None)
        raise SystemExit(self.exit_code)

    def _note(self, number: int, frame: Any) -> None:
        if number == SAVES:
            self.save = True
        elif number == signal.SIGINT and self.stop == signal.SIGINT:
            launcher: Any = self._trainer and self._trainer.strategy.launcher
            if launcher:
                launcher.kill(signal.SIGKILL)
            os._exit(128 + number)
        else:
            self.stop = self.stop or number
            if self._trainer is None:
                self.agreed_stop = self.stop
                self.leave()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over from Lightning's handlers."""
        self._trainer = trainer
        for number in self._before:
            signal.signal(number, self._note)
        if trainer.world_size > 1:
            self._group = dist.new_group(backend="gloo")  # on the CPU: a GPU would have to wait
            # Lightning has the first process tell the others at each step, on the device; they know already.
            trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Agree; a step ends where no gradient waits for more batches."""
        self._agree(trainer, may_stop=pl_module.closes_update())

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Agree."""
        self._agree(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Agree."""
        self._agree(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on a signal ends the run at once: all is saved."""
        self._trainer = None

    def _agree(self, trainer: Trainer, may_stop: bool = True) -> None:
        stop, save, self.save = self.stop, self.save, False
        if self._group is not None:
            notes = torch.tensor([stop, int(save)])
            dist.all_reduce(notes, dist.ReduceOp.MAX, self._group)
            stop, save = notes.tolist()
        self.agreed_save = self.agreed_save or bool(save)
        if stop and may_stop and not self.agreed_stop:
            self.agreed_stop = stop
            trainer._signal_connector.received_sigterm = True  # Lightning leaves its loops at the next opportunity
            if trainer.is_global_zero:
                log.warning(
                    "%s: the run saves and stops after step %d.", signal.Signals(stop).name, trainer.global_step
                )
