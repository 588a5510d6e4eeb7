"""Signals that tell a process to stop, heard at any moment. Imports nothing heavy.

Python runs a handler in its main thread, between two operations of its own: not while that waits in C++, as it does for
half an hour where processes look for each other and one is missing. What Python writes at the moment of a signal is
therefore read by a thread, which ends a process that has not ended by itself.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
SECONDS = 2.0  # for a process to end by itself

_told: list[int] = []  # the signals that have told this process to stop while nothing else handled them


def stops() -> list[int]:
    """The signals that are to stop this process: SIGHUP is none under nohup."""
    hangup = getattr(signal, "SIGHUP", None)
    return [n for n in STOPS if n != hangup or signal.getsignal(n) != signal.SIG_IGN]


def end_on_signals() -> None:
    """Have signals end this process with 128 and their number, unless something else handles them."""
    for number in stops():
        signal.signal(number, _end)
    _listener = listening(lambda number: signal.getsignal(number) is _end, lambda number: os._exit(128 + number))
    _listener.__enter__()  # until the process ends


def _end(number: int, frame: Any) -> None:
    _told.append(number)
    raise SystemExit(128 + number)


@contextmanager
def explained_by_signals() -> Iterator[None]:
    """Have an error within it that a signal has caused, in code that did not expect one, pass as the signal's."""
    try:
        yield
    except Exception:
        if _told:
            raise SystemExit(128 + _told[0]) from None
        raise


@contextmanager
def listening(must_end: Callable[[int], bool], end: Callable[[int], None]) -> Iterator[None]:
    """Listen from a thread. To be called in the main thread.

    Args:
        must_end: whether a signal is to end this process at once; asked in the order in which they come.
        end: ends it, if it has not ended some seconds later, and is still within this context.
    """
    heard, told = socket.socketpair()
    told.setblocking(False)
    over = Event()

    def listen() -> None:
        while number := int.from_bytes(heard.recv(1), sys.byteorder):
            if must_end(number) and not over.wait(SECONDS):
                end(number)

    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    thread = Thread(target=listen, daemon=True, name="signals")
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        over.set()
        told.send(b"\0")
        thread.join()
        told.close()
        heard.close()


@contextmanager
def blocked() -> Iterator[None]:
    """Start processes and threads within it that no such signal reaches: who has started them ends them.

    A terminal, `timeout` and queues send signals to all processes of a group.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


if hasattr(os, "register_at_fork"):  # a fork would write into the same socket
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
