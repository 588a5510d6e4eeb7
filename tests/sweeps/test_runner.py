"""The processes of runs."""

import io
import json
import os

from omegaconf import OmegaConf
from rich.console import Console

from genlab.sweeps.plan import SweepRun
from genlab.sweeps.process import start_server
from genlab.sweeps.resources import Demand, Pool
from genlab.sweeps.runner import Runner
from genlab.sweeps.table import SweepTable

SCRIPT = """
import json, os, sys, time
from pathlib import Path
import torch
folder = Path(sys.argv[-1].split("=")[1])
start = time.monotonic()
time.sleep(0.5)
tell = {
    "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
    "threads": torch.get_num_threads(),
    "omp": os.environ["OMP_NUM_THREADS"],
    "ppath": os.environ.get("PYTHONPATH"),
    "session": os.getsid(0) == os.getpid(),
    "main": [__name__, sys.modules["__main__"].__spec__, sys.modules["__main__"].__file__],
    "time": [start, time.monotonic()],
}
(folder / "told.json").write_text(json.dumps(tell))
import atexit
atexit.register(print, "goodbye")
"""


def test_a_run_is_a_main_program_that_sees_the_gpus_and_threads_that_it_has_been_lent(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    (tmp_path / "script.py").write_text(SCRIPT)
    hydra = OmegaConf.create({"overrides": {"hydra": []}})
    runs = [SweepRun([], tmp_path / str(n), {}, "1f0c2a3b", hydra, str(n)) for n in range(3)]
    table = SweepTable(Console(file=io.StringIO()), runs)
    runner = Runner(start_server(), str(tmp_path / "script.py"), 2, table)
    waiting = iter([(run, Demand(1, 1)) for run in runs])
    runner.run(lambda: next(waiting, None), Pool(["3", "7"], 2))

    told = [json.loads((run.folder / "told.json").read_text()) for run in runs]
    assert {tell["gpus"] for tell in told[:2]} == {"3", "7"}
    assert told[2]["gpus"] in ("3", "7")
    same = next(tell for tell in told[:2] if tell["gpus"] == told[2]["gpus"])
    assert same["time"][1] < told[2]["time"][0]  # one after the other
    for tell, run in zip(told, runs, strict=True):
        assert (tell["threads"], tell["omp"], tell["session"]) == (2, "2", True)
        assert tell["main"] == ["__main__", None, str(tmp_path / "script.py")]
        assert tell["ppath"] == os.environ.get("PYTHONPATH")  # the server's own stays with it
        assert run.state == "completed"
        command = f"$ python {tmp_path}/script.py hydra.run.dir={run.folder}"
        assert (run.folder / "console.log").read_text() == f"{command}\ngoodbye\n"
