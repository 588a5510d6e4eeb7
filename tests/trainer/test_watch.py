"""A process of several that dies: all end soon, one sentence says which it was, and the run can go on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from resuming import SMALL, saved
from settings import ROOT
from typed import Running, type_in

pytestmark = pytest.mark.slow

WITHIN = 60  # seconds
RUN = (*SMALL, "trainer=ddp_cpu", "data.batch_size=8", "trainer.max_epochs=5000")
FEW = ("callbacks.checkpoint.keep=0", "callbacks.checkpoint.every_n_steps=10", "trainer.log_every_n_steps=10")


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked after does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed if b"train.py" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("rank", "model"), [(1, "gan"), pytest.param(0, "vae", marks=pytest.mark.rare)])
def test_all_end_the_summary_says_why_and_the_run_can_be_resumed(rank, model, tmp_path):
    run = tmp_path / "run"
    arguments = [*RUN, *FEW, f"model={model}", f"hydra.run.dir={run}"]
    first = Running("train", *arguments, cwd=tmp_path, OMP_NUM_THREADS="1")
    while not (run / "checkpoints" / "previous.ckpt").is_file():
        assert first.poll() is None, first.said()
        time.sleep(0.05)
    (second,) = children(first.pid)
    os.kill(second if rank == 1 else first.pid, signal.SIGKILL)
    killed = time.monotonic()
    first.wait(WITHIN)
    while alive(second):
        assert time.monotonic() - killed < WITHIN
        time.sleep(0.1)
    result = first.end(0)
    assert result.returncode == (1 if rank == 1 else -signal.SIGKILL)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert f"ProcessDied: The process of rank {rank} " in summary["error"]
    assert result.stderr.count("error: ") == result.stderr.count(f"The process of rank {rank} ") == 1
    assert "Traceback" not in result.stderr
    step = saved(run)["global_step"]
    assert step >= 8
    again = type_in("train", f"resume={run}", f"trainer.max_steps={step + 12}", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert again.returncode == 0, again.stderr
    assert saved(run)["global_step"] == step + 12
    assert json.loads((run / "summary.json").read_text())["status"] == "completed"


HANGING = """
import subprocess, sys, time
from pathlib import Path
from genlab.trainer import watch
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep({seconds}); raise SystemExit({code})"])
other = subprocess.Popen(["sleep", "300"])
print(other.pid, flush=True)
with watch.watching_children([child, other], Path(sys.argv[1])):
    time.sleep({main})  # as a process does that waits in a collective of NCCL
print("over", flush=True)
other.kill()
"""


def hanging(folder: Path, **values: float) -> subprocess.CompletedProcess[str]:
    (folder / "summary.json").write_text('{"status": "running"}')
    command = [sys.executable, "-c", HANGING.format(**values), str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_main_thread_that_waits_for_ever_is_ended_with_all_other_processes(tmp_path):
    result = hanging(tmp_path, seconds=1, code=3, main=250)
    assert result.returncode == 1
    assert result.stderr.startswith("error: The process of rank 1 has failed with exit code 3")
    assert "over" not in result.stdout
    assert not alive(int(result.stdout.split()[0]))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert "rank 1" in summary["error"]


def test_processes_that_end_well_or_after_the_training_are_no_deaths(tmp_path):
    for values in ({"seconds": 0, "code": 0, "main": 3}, {"seconds": 6, "code": 1, "main": 1}):
        result = hanging(tmp_path, **values)
        assert (result.returncode, result.stderr) == (0, "")
        assert "over" in result.stdout
        assert json.loads((tmp_path / "summary.json").read_text()) == {"status": "running"}
