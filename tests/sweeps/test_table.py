"""What is seen of a sweep."""

import io
import json
import re
import signal
from pathlib import Path

from omegaconf import OmegaConf
from rich.console import Console

from genlab.sweeps.plan import DryRun, SweepRun
from genlab.sweeps.preflight import estimate_cost
from genlab.sweeps.table import SweepTable, list_failures, read_progress


def planned(folder: Path, name: str, state: str = "waiting", **summary):
    """A run, with a summary where there is one."""
    config = {"trainer": {"max_epochs": 4, "max_steps": -1}, "resume": None}
    made = SweepRun([f"model={name}"], folder / name, config, "1f0c2a3b", OmegaConf.create(), f"model={name}", state)
    if summary:
        made.folder.mkdir(parents=True)
        (made.folder / "summary.json").write_text(json.dumps(summary))
    return made


def screen(height=20):
    return Console(file=io.StringIO(), width=100, height=height, force_terminal=True, color_system=None)


def shown(console):
    """The lines of what was drawn, without what moves the cursor."""
    return re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", console.file.getvalue()).splitlines()


def test_of_a_hundred_runs_those_that_train_have_a_row_and_the_others_are_counted(tmp_path):
    runs = [planned(tmp_path, f"m{n}") for n in range(100)]
    runs[3].state, runs[4].state = "failed", "completed"
    console = screen()
    with SweepTable(console, runs) as table:
        for member in runs[90:92]:
            member.state = "running"
            table.add_start(member)
        table.refresh()
        first, *rows = shown(console)[-3:]
    assert first.startswith("2 running, 1 failed, 1 completed, 96 waiting Ctrl-C: save and stop")
    assert [row.split()[0] for row in rows] == ["model=m90", "model=m91"]


def test_a_row_says_how_far_a_run_has_come(tmp_path):
    score = {"name": "val/fid", "value": 3.25}
    run = planned(tmp_path, "vae", status="running", epochs=1, steps=10, images_per_second=812.4, score=score)
    assert read_progress(run).share == 0.25
    console = screen()
    with SweepTable(console, [run]) as table:
        run.state = "running"
        table.add_start(run)
        table.refresh()
        assert "epoch 1/4, 812 images/s, score 3.25" in shown(console)[-1]


def test_what_is_left_follows_from_the_pace_of_this_launch(tmp_path):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None, get_time=lambda: now)
    now = 0.0
    run = planned(tmp_path, "vae", status="running", epochs=1, steps=10)
    with SweepTable(console, [run]) as table:
        run.state = "running"
        table.add_start(run)
        table.refresh()
        now = 70.0  # seconds for a quarter of the way
        (run.folder / "summary.json").write_text(json.dumps({"status": "running", "epochs": 2}))
        table.refresh()
        assert shown(console)[-1].endswith("0:02:20")


def test_lines_alone_are_printed_where_nobody_looks_on(tmp_path):
    run = planned(tmp_path, "vae")
    console = Console(file=io.StringIO())
    with SweepTable(console, [run]) as table:
        run.state = "running"
        table.add_start(run)
        table.refresh()
        table.add_signal(signal.SIGTERM, kill=False)
        table.add_signal(signal.SIGTERM, kill=False)
        run.state, run.seconds = "interrupted", 3.0
        table.add_end(run)
    assert console.file.getvalue().splitlines() == [
        "started      model=vae",
        "SIGTERM: each run saves a checkpoint and stops",
        "interrupted  model=vae (3.0 s, 1 of 1)",
    ]


def test_failures_are_listed_with_what_went_wrong_and_where(tmp_path):
    bad = planned(tmp_path, "gan", "failed")
    bad.error = "ValueError: it rains"
    assert list_failures([bad, planned(tmp_path, "ae", "completed")]) == [
        "1 of 2 failed:",
        "  model=gan",
        "    ValueError: it rains",
        f"    {bad.folder}",
    ]
    assert list_failures([planned(tmp_path, "ae", "completed")]) == []


def test_the_cost_counts_runs_parameters_and_bytes(tmp_path):
    complete, stopped = planned(tmp_path, "ae", "completed"), planned(tmp_path, "vae", status="interrupted")
    (stopped.folder / "checkpoints").mkdir()
    (stopped.folder / "checkpoints" / "last.ckpt").touch()
    new = planned(tmp_path, "gan")
    new.config["callbacks"] = {"checkpoint": {"keep": 1}}
    dry_runs = [DryRun(None, 1000, 4000), DryRun(None, 2500, 10_000)]
    lines = estimate_cost([complete, stopped, new], dry_runs, tmp_path)
    assert lines[0] == f"3 run(s) in {tmp_path}: 1 complete, 1 to go on, 1 new"
    assert lines[1] == "parameters: 1,000 to 2,500"
    assert lines[2].startswith("disk: about 224.0 kB of checkpoints (4 files a run, each 4 times the weights")
