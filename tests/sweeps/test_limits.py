"""How many cells at a time, of what."""

import pytest

from genlab.errors import UsageError
from genlab.sweeps import limits
from genlab.sweeps.limits import Limits, check_gpus, demand, n_threads, pool, visible_gpus
from genlab.sweeps.resources import Demand


def trainer(**keys):
    return {"trainer": keys}


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Eight cores and 6 GiB of memory."""
    monkeypatch.setattr(limits, "n_cores", lambda: 8)
    monkeypatch.setattr(limits, "memory", lambda: 6 * 1024**3)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0 is not possible: it must be a whole number of at least 1"),
        (-1, "-1 is not possible: it must be a whole number of at least 1"),
        ("two", "two is not possible: it must be null or a whole number"),
        (1.5, r"1\.5 is not possible: it must be null or a whole number"),
        (True, "true is not possible: it must be null or a whole number"),
    ],
)
@pytest.mark.parametrize("key", ["n_jobs", "gpus_per_job"])
def test_limits_are_whole_numbers_of_at_least_one(key, value, said):
    with pytest.raises(UsageError, match=rf"hydra\.launcher\.{key}={said}"):
        Limits.checked(**({"n_jobs": None, "gpus_per_job": None} | {key: value}))
    assert Limits.checked(3, None) == Limits(3, None)


@pytest.mark.parametrize(
    ("said", "seen", "names"),
    [
        (None, 2, ["0", "1"]),
        ("2,5", 2, ["2", "5"]),
        ("GPU-1f, GPU-2a", 2, ["GPU-1f", "GPU-2a"]),
        ("0,1", 0, []),  # named, but not there
        ("", 0, []),
    ],
)
def test_gpus_have_the_names_that_cuda_visible_devices_gives_them(said, seen, names):
    assert visible_gpus(seen, {} if said is None else {"CUDA_VISIBLE_DEVICES": said}) == names


@pytest.mark.parametrize(
    ("config", "n_gpus", "per_job", "expected"),
    [
        (trainer(accelerator="auto", devices=1), 4, None, Demand(1, 1)),
        (trainer(accelerator="gpu", devices="2"), 4, None, Demand(2, 2)),
        (trainer(accelerator="auto", devices="auto"), 4, None, Demand(4, 4)),
        (trainer(accelerator="auto", devices=-1), 4, 2, Demand(2, 2)),
        (trainer(accelerator="cpu", devices=2), 4, None, Demand(2, 0)),
        (trainer(accelerator="auto", devices="auto"), 0, None, Demand(1, 0)),
        ({}, 4, None, Demand(1, 0)),  # an entry script without a trainer
    ],
)
def test_a_cell_takes_what_its_trainer_asks_for(config, n_gpus, per_job, expected):
    assert demand(config, n_gpus, per_job) == expected


def test_more_gpus_than_there_are_and_certain_ones_are_refused():
    with pytest.raises(UsageError, match=r"trainer\.devices=5 is more than the 4 GPU"):
        demand(trainer(accelerator="gpu", devices=5), 4, None)
    with pytest.raises(UsageError, match=r"trainer\.devices=\[0, 3\] names GPUs.*CUDA_VISIBLE_DEVICES"):
        demand(trainer(accelerator="gpu", devices=[0, 3]), 4, None)


@pytest.mark.parametrize(
    ("n_gpus", "per_job", "devices", "part"),
    [(0, 1, "auto", "PyTorch sees none"), (2, 3, "auto", "more than the 2 GPU"), (4, 2, 1, "type trainer=ddp")],
)
def test_gpus_per_job_that_can_not_be_had_is_refused(n_gpus, per_job, devices, part):
    with pytest.raises(UsageError, match=rf"hydra\.launcher\.gpus_per_job={per_job} .*{part}"):
        check_gpus(Limits(None, per_job), n_gpus, [trainer(devices=devices)])
    check_gpus(Limits(None, 2), 4, [trainer(devices="auto"), trainer(devices=1)])


def test_without_n_jobs_memory_and_cores_bound_the_cells_on_the_cpu():
    assert pool(Limits(), [], [Demand()] * 9).n_cores == 3  # 2 GiB a process
    said = pool(Limits(5), [], [Demand()] * 9)
    assert (said.n_jobs, said.n_cores) == (5, None)


@pytest.mark.parametrize(
    ("n_jobs", "gpus", "demands", "threads"),
    [
        (None, [], [Demand()] * 9, 2),  # three at a time
        (None, [], [Demand()], 8),  # one alone has all cores
        (4, [], [Demand()] * 9, 2),
        (2, [], [Demand(2)] * 9, 2),  # two cells of two processes
        (16, [], [Demand()] * 99, 1),
        (None, ["0", "1"], [Demand(1, 1)] * 9, 4),
    ],
)
def test_the_processes_side_by_side_share_the_cores(n_jobs, gpus, demands, threads):
    assert n_threads(pool(Limits(n_jobs), gpus, demands), demands, {}) == threads


def test_what_the_user_has_said_of_threads_stands():
    assert n_threads(pool(Limits(), [], [Demand()]), [Demand()], {"OMP_NUM_THREADS": "5"}) == 5


def test_n_jobs_above_the_number_of_gpus_has_cells_share_them():
    assert pool(Limits(), ["0", "1"], [Demand(1, 1)]).cells_per_gpu == 1
    assert pool(Limits(2), ["0", "1"], [Demand(1, 1)]).cells_per_gpu == 1
    assert pool(Limits(4), ["0", "1"], [Demand(1, 1)]).cells_per_gpu == 2
    assert pool(Limits(2), ["0", "1"], [Demand(2, 2)]).cells_per_gpu == 2
