"""What a sweep is expected to take."""

import json
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from sweeping import FEW, MOODY, swept

from genlab.callbacks import Curves
from genlab.errors import UsageError
from genlab.sweeps.bill import Cost, kind_of, make_probes, read_cost, write_bill
from genlab.sweeps.plan import SweepRun
from genlab.sweeps.probe import Probe
from genlab.sweeps.resources import Pool
from genlab.sweeps.table import seconds_left
from genlab.trainer.schedule import count_batches


def run(folder, name="a", state="waiting", expected=None, **config):
    config = {"trainer": {"max_epochs": 4}, "resume": None} | config
    made = SweepRun([f"name={name}"], folder / name, config, "1f0c2a3b", OmegaConf.create(), name, state)
    made.expected = expected
    return made


def test_runs_that_differ_by_seeds_and_names_alone_share_a_probe(tmp_path):
    def cell(name, seed, size):
        paths = {"run_dir": str(tmp_path / name)}
        data = {"batch_size": size, "dirpath": f"{tmp_path / name}/checkpoints", "samples": {"seed": seed}}
        return run(tmp_path, name, seed=seed, tags=[name], paths=paths, data=data, logger={"wandb": {}})

    cells = [cell("a", 0, 64), cell("b", 1, 64), cell("c", 0, 32)]
    assert kind_of(cells[0]) == kind_of(cells[1]) != kind_of(cells[2])
    cells[0].overrides.append("+callbacks.prune={trial:0}")
    probes = list(make_probes(cells, tmp_path / "probes").values())
    assert [probe.label for probe in probes] == ["probe of a", "probe of c"]
    assert [probe.folder.parent.name for probe in probes] == ["probes", "probes"]
    assert "~logger.wandb" in probes[0].overrides
    assert not any("prune" in text for text in probes[0].overrides)  # no study hears of a probe
    assert [cell.overrides[0] for cell in cells] == ["name=a", "name=b", "name=c"]
    assert [cell.folder.name for cell in cells] == ["a", "b", "c"]


def test_what_is_left_is_what_slots_take_that_are_filled_in_order(tmp_path):
    runs = [run(tmp_path, str(n), expected=seconds) for n, seconds in enumerate((4, 1, 2, 5))]
    assert seconds_left(runs, 1) == 12
    assert seconds_left(runs, 2) == 8  # 4 and nothing; 1, 2, 5
    assert seconds_left([*runs, run(tmp_path, "done", state="completed")], 4) == 5
    assert seconds_left([*runs, run(tmp_path, "new")], 4) is None
    runs[3].state = "running"
    runs[3].folder.mkdir()
    (runs[3].folder / "summary.json").write_text(json.dumps({"status": "running", "epochs": 3}))
    assert seconds_left(runs, 4) == 4  # of the 5 one quarter is left


def test_the_bill_names_time_and_memory_and_refuses_what_does_not_fit_side_by_side():
    costs = {"ae": Cost(90.0, 10**9, 4 * 10**9, False), "gan": Cost(150.0, 15 * 10**8, 4 * 10**9, True)}
    lines = write_bill(costs, 300.0, Pool([], 2))
    assert lines[:2] == [
        "  ae: 1 min 30 s, 1.0 GB of memory",
        "  gan: at least 2 min 30 s, 1.5 GB of memory",
    ]
    assert lines[2].startswith("all of it takes at least 5 min 00 s, until ")
    with pytest.raises(UsageError, match=r"^3 runs side by side take 4.5 GB .* 4.0 GB: type hydra.launcher.n_jobs=2"):
        write_bill(costs, 300.0, Pool([], 3))
    assert len(write_bill(costs, None, Pool(["0", "1"], 2))) == 2  # a GPU each


def test_a_probe_that_memory_ran_out_on_says_which_batch_to_try(tmp_path):
    killed = run(tmp_path, state="failed", data={"batch_size": 64})
    killed.error = "killed by SIGKILL, as the system does to a process when memory runs out"
    with pytest.raises(UsageError, match=r"memory runs out: try data.batch_size=32\."):
        read_cost(killed)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({}, (80, 8)),
        ({"check_val_every_n_epoch": 2}, (80, 4)),
        ({"val_check_batch": 5}, (80, 16)),
        ({"check_val_every_n_epoch": None, "val_check_batch": 40}, (80, 2)),
        ({"max_steps": 100}, (50, 5)),  # two steps a batch
        ({"max_epochs": -1}, (None, 0)),
    ],
    ids=str,
)
def test_batches_and_validations_are_counted_by_the_limits_of_a_run(typed, expected):
    loop = SimpleNamespace(max_epochs=typed.get("max_epochs", 8), total_batch_idx=9)
    limits = {"num_training_batches": 10, "max_steps": -1, "global_step": 20, "val_check_batch": 10}
    trainer = SimpleNamespace(**limits | {"check_val_every_n_epoch": 1} | typed, fit_loop=loop)
    assert count_batches(trainer) == expected


def test_the_cost_is_that_of_the_first_time_and_of_the_later_ones_as_often_as_they_are_due():
    loop = SimpleNamespace(max_epochs=8, total_batch_idx=9)
    probe, scorer = Probe("cost.json"), Curves("folder", every_n_epochs=3)
    limits = {"num_training_batches": 10, "max_steps": -1, "val_check_batch": 10, "check_val_every_n_epoch": 1}
    probe._trainer = SimpleNamespace(**limits, fit_loop=loop)
    probe._warm, probe._batches = 6.0, [4.0, 1.0, 1.0, 0.5, 0.5, 0.8]
    probe._spent = {(probe, "validation"): [2.0, 1.0], (scorer, "on_validation_epoch_end"): [5.0, 3.0]}
    probe._spent[scorer, "on_train_epoch_end"] = [0.5]
    # warming up, 77 batches, eight validations, and in epochs 3, 6 and 8 the score
    assert probe._extrapolate() == pytest.approx(6 + 77 * 0.6 + (2 + 7 * 1) + (5 + 2 * 3) + 3 * 0.5)


@pytest.mark.slow
def test_only_the_bill_leaves_no_run_behind_and_the_runs_that_follow_are_the_same(tmp_path):
    typed = (*FEW, "model=ae", "seed=0,1", "sweep=s", "trainer.max_epochs=3")
    result = swept(*typed, "preflight=only", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("started      probe of") == 1
    assert "  seed=0: " in result.stdout
    assert "all of it takes about " in result.stdout
    folder = tmp_path / "logs/train/sweeps/s"
    assert not [path for path in folder.iterdir() if path.is_dir()]


@pytest.mark.slow
def test_a_probe_that_fails_is_said_before_a_run_starts(tmp_path):
    result = swept(*FEW, "+mood=fails,fine", "preflight=probe", "sweep=s", cwd=tmp_path, script=MOODY)
    assert result.returncode == 1
    assert result.stderr.strip() == "error: probe of +mood=fails: ValueError: it rains."
    assert "started      +mood" not in result.stdout
