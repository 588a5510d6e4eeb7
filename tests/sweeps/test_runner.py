"""The processes of cells."""

import io
import json
import os

from omegaconf import OmegaConf
from rich.console import Console

from genlab.sweeps.plan import Cell
from genlab.sweeps.process import Server
from genlab.sweeps.resources import Demand, Pool, Queue
from genlab.sweeps.runner import Crew
from genlab.sweeps.view import View

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


def test_a_cell_is_a_main_program_that_sees_the_gpus_and_threads_that_it_has_been_lent(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    (tmp_path / "script.py").write_text(SCRIPT)
    hydra = OmegaConf.create({"overrides": {"hydra": []}})
    cells = {n: Cell([], tmp_path / str(n), {}, "1f0c2a3b", hydra, str(n)) for n in range(3)}
    pool = Pool(["3", "7"])
    crew = Crew(Server(), str(tmp_path / "script.py"), 2, View(Console(file=io.StringIO()), list(cells.values())))
    crew.run(Queue(pool, [(n, Demand(1, 1)) for n in cells]), cells, pool)

    told = [json.loads((cell.folder / "told.json").read_text()) for cell in cells.values()]
    assert {tell["gpus"] for tell in told[:2]} == {"3", "7"}
    assert told[2]["gpus"] in ("3", "7")
    same = next(tell for tell in told[:2] if tell["gpus"] == told[2]["gpus"])
    assert same["time"][1] < told[2]["time"][0]  # one after the other
    for tell, cell in zip(told, cells.values(), strict=True):
        assert (tell["threads"], tell["omp"], tell["session"]) == (2, "2", True)
        assert tell["main"] == ["__main__", None, str(tmp_path / "script.py")]
        assert tell["ppath"] == os.environ.get("PYTHONPATH")  # the server's own stays with it
        assert cell.state == "completed"
        command = f"$ python {tmp_path}/script.py hydra.run.dir={cell.folder}"
        assert (cell.folder / "console.log").read_text() == f"{command}\ngoodbye\n"
