"""Signals that ask a run to stop or to save."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

from genlab.errors import UsageError
from genlab.interrupts import listening, stops
from genlab.run.summary import end_summary

log = logging.getLogger(__name__)

SAVES = getattr(signal, "SIGUSR1", None)  # there is none on Windows
REQUEUES = getattr(signal, "SIGUSR2", None)  # submitit handles it, and starts the job again


class Signals(Callback):
    """Ends a run after the current step when SIGTERM, SIGINT or SIGHUP arrives; SIGUSR1 asks for a checkpoint.

    Before the first step there is nothing to save, and the run ends at once, as it does at a second SIGINT. Otherwise
    a handler only notes the signal. After each step all processes exchange what they have noted, so that they leave
    together, whichever of them was sent the signal. (Lightning's own handler broadcasts within a signal handler, which
    may fall between any two operations of another process, and has the first process leave a step early.)
    """

    def __init__(self) -> None:
        self.stop = 0  # the signal that has asked this process to stop
        self.has_begun = False  # whether the first step is about to be made
        self.save = False  # whether this process wants a checkpoint
        self.agreed_stop, self.agreed_save = 0, False  # what all processes know
        self.launcher: Any = None  # of the processes that this one has started, if it has
        self._trainer: Trainer | None = None  # while it trains
        self._group: Any = None
        self._replaced: dict[int, Any] = {}  # handlers
        self._n_interrupts = 0  # how often SIGINT has come
        self._run_dir: Path | None = None

    @contextmanager
    def installed(self, run_dir: Path | None = None) -> Iterator[None]:
        """Handle signals in here, in the main thread; where one ends the process at once, the run folder says so.

        Raises:
            SystemExit: with `exit_code`, if a run has stopped and saved.
        """
        self._run_dir = run_dir
        numbers = [*stops(), SAVES] if SAVES else stops()
        if REQUEUES and callable(signal.getsignal(REQUEUES)):
            numbers.append(REQUEUES)
        self._replaced = {n: signal.signal(n, self._note) for n in numbers}
        try:
            with listening(self._must_end, self._end):
                yield
        except SIGTERMException:
            self._leave()
        except Exception as error:
            # Code that did not expect it, or another process that has left already.
            if self.stop and not isinstance(error, UsageError):
                raise SystemExit(self.exit_code) from error
            raise
        finally:
            for number, handler in self._replaced.items():
                signal.signal(number, handler)
            self._replaced = {}

    def _must_end(self, number: int) -> bool:
        """Whether a signal ends this process even if its main thread waits: before the first step, a second SIGINT."""
        self._n_interrupts += number == signal.SIGINT
        is_second = number == signal.SIGINT and self._n_interrupts > 1
        return number in self._replaced and number != SAVES and (self._trainer is None or is_second)

    def _end(self, number: int) -> None:
        """End this process and those that it has started, whatever its main thread does."""
        self.stop = self.stop or number
        if self.launcher:
            self.launcher.kill(signal.SIGKILL)
        if self._run_dir is not None and getattr(rank_zero_only, "rank", 0) == 0:
            end_summary(self._run_dir, "interrupted", signal.Signals(number).name)
        with suppress(SystemExit):
            self._requeue(number)
        os._exit(128 + number)

    def _requeue(self, number: int) -> None:
        if number == REQUEUES and callable(requeue := self._replaced.get(number)):
            requeue(number, None)

    @property
    def exit_code(self) -> int:
        """128 and the signal's number; 0 for other processes than the first, which would take it for their death."""
        is_first = self._trainer is None or self._trainer.is_global_zero
        return 128 + (self.agreed_stop or self.stop or signal.SIGTERM) if is_first else 0

    def _leave(self) -> NoReturn:
        self._requeue(self.agreed_stop)
        raise SystemExit(self.exit_code)

    def _note(self, number: int, frame: Any) -> None:
        if number == SAVES:
            self.save = True
        elif number == signal.SIGINT and self.stop == signal.SIGINT:
            self._end(number)
        else:
            self.stop = self.stop or number
            if self._trainer is None:
                self.agreed_stop = self.stop
                self._leave()

    def setup(self, trainer: Any, pl_module: LightningModule, stage: str) -> None:
        trainer._signal_connector.register_signal_handlers = lambda: None  # no handlers of Lightning's

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._trainer, self.has_begun = trainer, True  # from here on there is something to save
        if trainer.world_size > 1:
            self._group = dist.new_group(backend="gloo")  # on the CPU: a GPU would have to wait
            # Lightning has the first process tell the others at each step, on the device; they know already.
            trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._agree(trainer, may_stop=pl_module.is_last_accumulation())  # not while gradients wait for more batches

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._agree(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._agree(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._trainer = None  # all is saved

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
                name, step = signal.Signals(stop).name, trainer.global_step
                log.warning("%s: the run saves and stops after step %d.", name, step)
