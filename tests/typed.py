"""What a user types, in a process of its own with a time limit, and what comes back.

The process is a fork of a server that has imported all that an entry script imports, as the runs of a sweep are: what
it does is the same, and each row of a table costs a second instead of ten. Where the way in which a process starts
matters (signals, several processes, `PYTHON...` variables), take `settings.run_script`.
"""

import atexit
import multiprocessing
import os
import runpy
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.utilities import rank_zero_only
from settings import ROOT, config

from genlab.cli import USER_ERRORS
from genlab.commands.train import train
from genlab.sentences import sentence
from genlab.sweeps.process import PRELOADED

SECONDS = 120  # a hang is a failure

config()  # what Hydra and its parser learn while they compose, the forks know then


class Running:
    """A script that runs in a group of processes of its own, with what is asked of `subprocess.Popen`.

    Args:
        script: the name of an entry script, or the path of another one.
    """

    def __init__(self, script: str | Path, *arguments: str, cwd: Path, **environment: str) -> None:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")} | environment
        path = script if isinstance(script, Path) else ROOT / "src" / f"{script}.py"
        self.args = [str(path), *arguments]
        folder = Path(tempfile.mkdtemp(prefix="typed-"))
        self._outputs = [folder / name for name in ("stdout", "stderr")]
        self._process = _server().Process(target=_be, args=(self.args, str(cwd), variables, *map(str, self._outputs)))
        self._process.start()
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """To this process alone."""
        os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        """Wait for the exit code.

        Raises:
            TimeoutError: if the process has not ended in time; it is killed.
        """
        self._process.join(seconds)
        if (code := self.poll()) is None:
            self._process.kill()
            self._process.join()
            raise TimeoutError(f"{' '.join(self.args)} still runs after {seconds} seconds:\n{''.join(self.said())}")
        return code

    def said(self) -> list[str]:
        """What stands on stdout and stderr so far."""
        return [output.read_text(errors="replace") if output.is_file() else "" for output in self._outputs]

    def end(self, seconds: float) -> subprocess.CompletedProcess[str]:
        """Wait for it; raises what `wait` raises."""
        try:
            return subprocess.CompletedProcess(self.args, self.wait(seconds), *self.said())
        finally:
            shutil.rmtree(self._outputs[0].parent)


def type_in(
    script: str | Path, *arguments: str, cwd: Path, seconds: float = SECONDS, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Type `python src/SCRIPT.py ARGUMENTS` in a folder.

    Raises:
        TimeoutError: if the process has not ended in time; it is killed.
    """
    return Running(script, *arguments, cwd=cwd, **environment).end(seconds)


def run_two(script: str | Path, *arguments: str | Path, cwd: Path, seconds: float = 250) -> None:
    """Run a script of tests/ in two processes of a group, as torchrun would start them, and see both end well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    group |= {"LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "tests", "OMP_NUM_THREADS": "1"}
    path, typed = ROOT / "tests" / script, [str(argument) for argument in arguments]
    both = [Running(path, *typed, cwd=cwd, RANK=rank, LOCAL_RANK=rank, **group) for rank in ("0", "1")]
    if not wait([one._process.sentinel for one in both], seconds) or any(one.poll() for one in both):
        for one in both:  # which would wait for the other
            one._process.kill()
    results = [one.end(seconds) for one in both]
    assert [result.returncode for result in results] == [0, 0], "".join(result.stderr for result in results)


def assert_refused(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    """See that a command ended with exit code 1 and one sentence on stderr, with all of these parts in it."""
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    line = result.stderr.strip().splitlines()[-1]
    assert [other for other in result.stderr.splitlines() if other.startswith("error: ")] == [line]
    for part in parts:
        assert part in line


def refusal(*typed: str, cwd: Path) -> str:
    """The sentence with which a training is refused, in this process: of tables of which some rows are typed in.

    It comes before anything is saved.
    """
    with pytest.raises(USER_ERRORS) as error:
        train(config(*typed, f"paths.data_dir={cwd}/data", run_dir=cwd / "run"))
    assert not list(cwd.rglob("*.ckpt"))
    said = sentence(error.value)
    assert "\n" not in said
    return said


@cache
def _server() -> Any:
    """The server, started with this checkout on its path: Python 3.11 imports before it sets the path of its parent."""
    if sys.platform != "linux":  # whose libraries don't survive a fork
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["typed", *PRELOADED])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]))
        forkserver.ensure_running()
    return context


def _be(command: list[str], cwd: str, variables: dict[str, str], stdout: str, stderr: str) -> None:
    os.setsid()
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    rank_zero_only.rank = int(variables.get("RANK", 0))  # Lightning has read it when the server imported it
    sys.argv, sys.path[0] = command, str(Path(command[0]).parent)
    try:
        runpy.run_path(command[0], run_name="__main__")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()  # Python leaves a forked process without
