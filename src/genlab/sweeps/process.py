"""A run's process: the entry script, run as if it had been typed, in a fork of a server that has imported it all."""

import atexit
import multiprocessing
import os
import runpy
import shlex
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from genlab.console import protect_output
from genlab.interrupts import STOPS, blocked

# Imported once by the server. Nothing in them starts threads of OpenMP or touches CUDA, which a fork would not survive.
PRELOADED = ["genlab.commands.train", "genlab.sweeps.dry_run", "genlab.callbacks"]


def start_server() -> Any:
    """Return a multiprocessing context: on Linux its processes are forks of a server that has paid for all imports.

    On 2 cores a run of one epoch takes 5 seconds in a fork and 10 in a fresh `python src/train.py`. The server imports
    while the launcher goes on. (macOS has fork servers too, but its libraries don't survive a fork.)
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    environment = dict(os.environ)
    # Python 3.11 does not hand its sys.path to the server, which would look in the working directory first.
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100
    os.environ |= {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    try:
        # A terminal, `timeout` and queues send signals to all processes of a group; the server must outlive the runs.
        with blocked():
            resource_tracker.ensure_running()  # it unblocks some signals again
        with blocked():
            forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(environment)
    return context


def run_script(script: str, arguments: list[str], console: Path, environment: dict[str, str], n_threads: int) -> None:
    """Become `python SCRIPT ARGUMENTS`, and append all that it prints to the file `console`."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C in the terminal reaches the launcher alone, and a whole run can be killed at once
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)  # blocked in the server, so that none is lost until here
    _redirect(console)
    os.environ.clear()
    os.environ.update(environment)
    if "torch" in sys.modules:  # which has read the environment of the server
        sys.modules["torch"].set_num_threads(n_threads)
    protect_output()
    print("$", shlex.join(["python", script, *arguments]))
    threading.Thread(target=_stop_without_launcher, daemon=True).start()
    sys.argv = [script, *arguments]
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # Python leaves a forked process without


def kill_all(process: BaseProcess) -> None:
    """Kill a run and the processes that it has started."""
    if process.pid and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _redirect(console: Path) -> None:
    console.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        os.dup2(file, number)
        stream.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    os.close(file)


def _stop_without_launcher() -> None:
    """When the launcher has been killed, save and stop as at a SIGTERM: the sweep that goes on wants this folder."""
    launcher = multiprocessing.parent_process()
    if launcher is not None:
        launcher.join()
        os.kill(os.getpid(), signal.SIGTERM)
