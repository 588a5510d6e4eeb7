"""A command that is told to stop before it has anything to save; real processes, real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from settings import ROOT

COMMAND = (
    *("model=gan", "debug=fast", "data.limit=48", "data.batch_size=16", "trainer=ddp_cpu", "callbacks=none"),
    *("hydra.run.dir=run", "trainer.max_epochs=1000"),
)
HOLD = """
import os, sys, time
class Hold:
    def find_spec(self, name, *_):
        if name == "torch" and os.environ.get("LOCAL_RANK") == {rank!r}:
            with open("held.tmp", "w") as file:
                file.write(str(os.getpid()))
            os.rename("held.tmp", "held")
            time.sleep(1000)
sys.meta_path.insert(0, Hold())
"""


def started(folder: Path, script: str, *arguments: str, holds: str | None) -> subprocess.Popen[str]:
    """Start a command of which the process of a rank stays in its imports; None for one that has no rank."""
    (folder / "sitecustomize.py").write_text(HOLD.format(rank=holds))
    command = [sys.executable, str(ROOT / "src" / f"{script}.py"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("script", "number"),
    [("train", "SIGTERM"), ("train", "SIGINT"), ("eval", "SIGHUP"), ("prepare", "SIGINT"), ("sample", "SIGTERM")],
)
def test_a_command_that_still_imports_ends_without_a_word(script, number, tmp_path):
    arguments = {"eval": ["run=x"], "sample": ["run=x"], "prepare": ["data=digits"]}.get(script, [])
    process = started(tmp_path, script, *arguments, holds=None)
    try:
        _waited_for(lambda: (tmp_path / "held").read_text())
        process.send_signal(getattr(signal, number))
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, said) == (128 + getattr(signal, number), "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signals", "code", "status", "error"),
    [
        ({"first": signal.SIGTERM, "second": signal.SIGTERM}, 143, "interrupted", "SIGTERM"),
        pytest.param({"first": signal.SIGINT}, 130, "interrupted", "SIGINT", marks=pytest.mark.rare),
        pytest.param({"second": signal.SIGTERM}, 143, "interrupted", "SIGTERM", marks=pytest.mark.rare),
        ({"second": signal.SIGKILL}, 1, "failed", "ProcessDied: The process of rank 1 was killed by SIGKILL"),
        pytest.param(
            *({"first": signal.SIGKILL}, -signal.SIGKILL, "failed", "ProcessDied: The process of rank 0 has died."),
            marks=pytest.mark.rare,
        ),
    ],
    ids=["SIGTERM to all", "SIGINT to the first", "SIGTERM to the second", "second killed", "first killed"],
)
def test_processes_that_look_for_each_other_end_within_seconds(signals, code, status, error, tmp_path):
    """The second is held back, so that the first waits for it in C++, where Python runs no handler."""
    first = started(tmp_path, "train", *COMMAND, holds="1")
    try:
        second = int(_waited_for(lambda: (tmp_path / "held").read_text()))
        _waited_for(lambda: _listens(first.pid))
        for who, number in signals.items():
            os.kill(first.pid if who == "first" else second, number)
        _, said = first.communicate(timeout=30)  # until both have closed it
        assert first.returncode == code, said
        assert "Traceback" not in said
        assert said.count("error: ") == said.count("The process of rank ") == (1 if status == "failed" else 0)
        summary = json.loads((tmp_path / "run" / "summary.json").read_text())
        assert summary["status"] == status
        assert summary["error"].startswith(error)
    finally:
        first.kill()


@pytest.mark.slow
def test_a_signal_to_the_workers_of_the_data_too_has_the_run_save(tmp_path):
    """As `timeout`, a terminal and queues send it: to all processes of the group."""
    small = ("data.limit=64", "data.size=16", "data.batch_size=8", "trainer=cpu", "callbacks=without_encoder")
    options = (*small, "data.num_workers=2", "trainer.max_epochs=5000", "hydra.run.dir=run", "~callbacks.progress")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "src" / "train.py"), *options],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        _waited_for(lambda: (tmp_path / "run" / "checkpoints" / "previous.ckpt").stat())
        os.killpg(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said) == (143, "")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "interrupted"


STUCK = """
import atexit, multiprocessing, signal, time
from genlab.data.loader import kill_workers
atexit.register(kill_workers)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
multiprocessing.get_context("fork").Process(target=time.sleep, args=[1000], daemon=True).start()
"""


@pytest.mark.slow
def test_a_worker_of_the_data_that_does_not_listen_does_not_keep_a_run_from_ending(tmp_path):
    script = tmp_path / "stuck.py"
    script.write_text(STUCK)
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, str(script)], env=env, timeout=60, check=True)


def _waited_for(look):
    for _ in range(600):
        try:
            if found := look():
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError


def _listens(pid: int) -> bool:
    """Whether a process has opened a port, as the first does where all look for each other."""
    inodes = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    listening = [
        line.split()[9]
        for file in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    return any(f"socket:[{inode}]" in inodes for inode in listening)
