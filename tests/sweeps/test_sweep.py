"""Sweeps of real processes."""

import sys

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobStatus
from hydra.types import RunMode
from settings import CONFIGS
from sweeping import FEW, MOODY, TRAIN, run_folders, summary, swept

from genlab.run.identity import register_resolvers
from genlab.sweeps.sweep import LocalSweep


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep of two runs, in two batches: what it has printed, and its folder."""
    folder = tmp_path_factory.mktemp("sweep")
    result = swept(*FEW, "model=ae,vae", "sweep=first", "hydra.sweeper.max_batch_size=1", cwd=folder)
    assert result.returncode == 0, result.stderr
    return result, folder / "logs" / "train" / "sweeps" / "first"


def test_each_run_has_a_process_and_a_folder_of_its_own_and_is_resumed_like_any_other(sweep):
    found = run_folders(sweep[1], "model")
    assert set(found) == {"ae", "vae"}
    for name, run_dir in found.items():
        assert summary(run_dir)["status"] == "completed"
        assert (run_dir / "checkpoints" / "best.ckpt").is_file()
        assert f"{name.upper()} on digits, run folder {run_dir}" in (run_dir / "console.log").read_text()
        written = (run_dir / "config.yaml").read_text()
        assert "\nresume: auto\n" in written
        assert "\nsweep: first\n" in written


def test_without_a_terminal_lines_say_what_happens_and_the_best_run_comes_first(sweep):
    out, scores = sweep[0].stdout, {n: summary(c)["score"]["value"] for n, c in run_folders(sweep[1], "model").items()}
    assert "1 run(s) in " in out
    assert "1 new" in out
    for name in ("ae", "vae"):
        assert f"started      model={name}" in out
    best, worst = sorted(scores, key=scores.__getitem__)
    ranking = out[out.index("rank") :]
    assert ranking.index(f" {best.upper()} ") < ranking.index(f" {worst.upper()} ")
    assert f"{scores[best]:.4g}" in ranking


def test_at_its_end_there_is_a_report(sweep):
    out, folder = sweep[0].stdout, sweep[1]
    assert out.endswith(f"{folder.relative_to(folder.parents[3])}/report.html\n")
    assert (folder / "report.csv").read_text().count("completed") == 2
    assert (folder / "figures").is_dir()


@pytest.mark.slow
def test_typed_again_with_a_new_value_it_runs_the_new_run_alone(sweep):
    _, folder = sweep
    before = {
        name: (run_dir / "summary.json").stat().st_mtime_ns for name, run_dir in run_folders(folder, "model").items()
    }
    result = swept(*FEW, "model=ae,vae,gan", "sweep=first", cwd=folder.parents[3])
    assert result.returncode == 0, result.stderr
    assert "3 run(s)" in result.stdout
    assert "2 complete, 1 new" in result.stdout
    assert [line.split()[1] for line in result.stdout.splitlines() if line.startswith("started")] == ["model=gan"]
    assert len(run_folders(folder, "model")) == 3
    for name, time in before.items():
        assert (run_folders(folder, "model")[name] / "summary.json").stat().st_mtime_ns == time


def test_a_folder_that_holds_a_run_is_refused_before_anything_is_written(sweep):
    run_dir = run_folders(sweep[1], "model")["ae"]
    before = sorted(run_dir.rglob("*"))
    result = swept(*FEW, f"hydra.sweep.dir='{run_dir}'", cwd=run_dir.parent)
    assert result.returncode == 1
    assert "holds a run and no sweep" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert sorted(run_dir.rglob("*")) == before


def test_limits_that_can_not_be_are_refused_before_anything_is_written(tmp_path):
    result = swept(*FEW, "hydra.launcher.n_jobs=0", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("error: hydra.launcher.n_jobs=0 is not possible")
    assert not list(tmp_path.iterdir())


def test_a_sweep_can_not_resume_a_run(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    result = swept(*FEW, "model=ae,vae", "resume=run", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("error: resume=run names one run, and -m starts many")
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "config.yaml"]


@pytest.mark.rare
def test_two_processes_train_one_run(tmp_path):
    result = swept(*FEW, "model=vae", "trainer=ddp_cpu", "sweep=two", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    (run_dir,) = run_folders(tmp_path / "logs/train/sweeps/two", "model").values()
    found = summary(run_dir)
    assert (found["status"], found["images_seen"], found["steps"]) == ("completed", 64, 2)  # 16 images a process


@pytest.mark.slow
def test_a_run_that_dies_is_reported_and_touches_no_other(tmp_path):
    moods = ("killed", "exits", "leaves", "fails", "fine")
    result = swept(*FEW, f"+mood={','.join(moods)}", "sweep=m", "hydra.launcher.n_jobs=3", cwd=tmp_path, script=MOODY)
    assert result.returncode == 1
    found = run_folders(tmp_path / "logs/train/sweeps/m", "mood")
    reasons = {
        "killed": "killed by SIGKILL, as the system does to a process when memory runs out",
        "exits": "ended with exit code 3",
        "leaves": "ended with exit code 1, after it had printed: enough of it",
        "fails": "ValueError: it rains",
    }
    report = result.stdout[result.stdout.index("4 of 5 failed:") :]
    for mood, reason in reasons.items():
        assert f"  +mood={mood}\n    {reason}\n    {found[mood]}\n" in report
        assert (summary(found[mood])["status"], summary(found[mood])["error"]) == ("failed", reason)
    assert summary(found["fine"])["status"] == "completed"
    again = swept(*FEW, "+mood=killed,fine", "sweep=m", "retry_failed=false", cwd=tmp_path, script=MOODY)
    assert again.returncode == 1
    assert "started" not in again.stdout
    assert "failed before, and left as retry_failed=false" in again.stdout


@pytest.mark.slow
def test_a_sweeper_is_told_scores_and_that_a_run_has_failed_and_may_ask_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(TRAIN), raising=False)
    monkeypatch.setattr(sys, "argv", [str(TRAIN), "-m"])
    register_resolvers()  # as the entry script does
    typed = [*FEW, f"hydra.sweep.dir='{tmp_path}/s'"]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        master = loader.load_configuration("train", typed, RunMode.MULTIRUN)
        sweep = LocalSweep(loader, master, None, None)
        few = [o for o in typed if not o.startswith("hydra")]
        first = sweep.launch([[*few, "model=ae"], [*few, "model=ae"]], 0)
        second = sweep.launch([[*few, "model.latent_dim=0"]], 2)
    (run_dir,) = (tmp_path / "s").glob("*model-ae*")
    assert [r.return_value for r in first] == [summary(run_dir)["score"]["value"]] * 2
    assert [r.status for r in first] == [JobStatus.COMPLETED] * 2
    assert first[0].cfg.model.latent_dim == 10
    assert (second[0].status, second[0].return_value) == (JobStatus.FAILED, None)
    assert sweep.end() == 1


@pytest.mark.slow
def test_a_sweep_of_another_launcher_leaves_its_report_though_a_run_has_failed(tmp_path):
    """Hydra itself announces no end then."""
    typed = (*FEW, "+mood=fails,fine", "hydra/launcher=basic", "sweep=b")
    result = swept(*typed, cwd=tmp_path, script=MOODY)
    assert result.returncode == 1
    assert "ValueError: it rains" in result.stderr
    assert result.stdout.count("logs/train/sweeps/b/report.html") == 1
    assert (tmp_path / "logs/train/sweeps/b/report.csv").read_text().count("completed") == 1
