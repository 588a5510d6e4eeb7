"""Signals that tell a process to stop, handled at any moment. Imports nothing heavy.

Python runs a handler in its main thread between two of its own operations: not while that thread waits in C++, as it
does for half an hour where processes look for each other and one is missing. The file descriptor to which Python writes
each signal is therefore read by a thread, which ends a process that has not ended by itself.
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

_received: list[int] = []  # signals that `_end` has handled


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
    _received.append(number)
    raise SystemExit(128 + number)


@contextmanager
def explained_by_signals() -> Iterator[None]:
    """Raise SystemExit in place of an error that `_end` has caused in code that did not expect its SystemExit."""
    try:
        yield
    except Exception:
        if _received:
            raise SystemExit(128 + _received[0]) from None
        raise


@contextmanager
def listening(must_end: Callable[[int], bool], end: Callable[[int], None]) -> Iterator[None]:
    """Read signals in a thread. To be called in the main thread.

    Args:
        must_end: whether a signal is to end this process at once; asked in the order in which they come.
        end: called if the process is still within this context some seconds later.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    over = Event()

    def listen() -> None:
        while number := int.from_bytes(receiver.recv(1), sys.byteorder):
            if must_end(number) and not over.wait(SECONDS):
                end(number)

    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    thread = Thread(target=listen, daemon=True, name="signals")
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        over.set()
        sender.send(b"\0")
        thread.join()
        sender.close()
        receiver.close()


@contextmanager
def blocked() -> Iterator[None]:
    """Block these signals in processes and threads that are started within it, which this process ends itself.

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
