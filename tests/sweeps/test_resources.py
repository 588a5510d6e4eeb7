"""How many runs at a time, of what, and who may start: no GPU is needed to know."""

import pytest

from genlab.errors import UsageError
from genlab.sweeps import resources
from genlab.sweeps.resources import Demand, Pool, check_number, count_threads, make_pool, name_gpus, read_demand

FOUR = ("0", "1", "2", "3")


def all_that_may_start(pool, waiting):
    """What is lent to runs that wait for so many GPUs each, in their order: nobody passes one that waits."""
    started = []
    while waiting and (gpus := pool.take(waiting[0])) is not None:
        waiting.pop(0)
        started.append(gpus)
    return started


def test_each_run_has_gpus_of_its_own_and_the_next_one_gets_those_given_back():
    pool, waiting = Pool(FOUR, 9), [2, 1, 1, 1]
    assert all_that_may_start(pool, waiting) == [("0", "1"), ("2",), ("3",)]
    pool.give_back(("2",))
    assert all_that_may_start(pool, waiting) == [("2",)]
    assert not waiting


def test_a_run_of_four_gpus_is_not_passed_by_runs_of_one():
    pool, waiting = Pool(FOUR, 9), [1, 4, 1]
    assert all_that_may_start(pool, waiting) == [("0",)]  # three GPUs are free, and wait for the large one
    pool.give_back(("0",))
    assert all_that_may_start(pool, waiting) == [FOUR]
    pool.give_back(FOUR)
    assert all_that_may_start(pool, waiting) == [("0",)]


def test_runs_share_a_gpu_only_where_that_is_said_and_spread_evenly_then():
    assert len(all_that_may_start(Pool(["0", "1"], 9), [1] * 5)) == 2
    assert all_that_may_start(Pool(["0", "1"], 4, runs_per_gpu=2), [1] * 5) == [("0",), ("1",), ("0",), ("1",)]


def test_n_jobs_bounds_all_runs_and_counts_again_when_one_ends():
    pool, waiting = Pool(FOUR, n_jobs=2), [0, 1, 0]
    assert all_that_may_start(pool, waiting) == [(), ("0",)]
    pool.give_back(())
    assert all_that_may_start(pool, waiting) == [()]


def trainer(**keys):
    return {"trainer": keys}


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Eight cores and 6 GiB of memory."""
    monkeypatch.setattr(resources, "n_cores", lambda: 8)
    monkeypatch.setattr(resources, "memory", lambda: 6 * 1024**3)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0 is not possible: it must be null or a whole number of at least 1"),
        (-1, "-1 is not possible: it must be null or a whole number of at least 1"),
        ("two", "two is not possible: it must be null or a whole number"),
        (1.5, r"1\.5 is not possible: it must be null or a whole number"),
        (True, "true is not possible: it must be null or a whole number"),
    ],
)
@pytest.mark.parametrize("key", ["n_jobs", "gpus_per_job"])
def test_limits_are_whole_numbers_of_at_least_one(key, value, said):
    with pytest.raises(UsageError, match=rf"hydra\.launcher\.{key}={said}"):
        check_number(key, value)
    assert [check_number(key, given) for given in (3, None)] == [3, None]


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
    assert name_gpus(seen, {} if said is None else {"CUDA_VISIBLE_DEVICES": said}) == names


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
def test_a_run_takes_what_its_trainer_asks_for(config, n_gpus, per_job, expected):
    assert read_demand(config, n_gpus, per_job) == expected


def test_more_gpus_than_there_are_and_certain_ones_are_refused():
    with pytest.raises(UsageError, match=r"trainer\.devices=5 is more than the 4 GPU"):
        read_demand(trainer(accelerator="gpu", devices=5), 4, None)
    with pytest.raises(UsageError, match=r"hydra\.launcher\.gpus_per_job=5 is more than the 4 GPU"):
        read_demand(trainer(accelerator="gpu", devices="auto"), 4, 5)
    with pytest.raises(UsageError, match=r"trainer\.devices=\[0, 3\] names GPUs.*CUDA_VISIBLE_DEVICES"):
        read_demand(trainer(accelerator="gpu", devices=[0, 3]), 4, None)


def test_without_n_jobs_memory_and_cores_bound_the_runs_on_the_cpu():
    assert make_pool(None, [], [Demand()] * 9).n_jobs == 3  # 2 GiB a run
    assert make_pool(5, [], [Demand()] * 9).n_jobs == 5
    assert make_pool(None, FOUR, [Demand(2, 2)] * 9).n_jobs == 2
    assert make_pool(None, FOUR, [Demand(1, 1), Demand()]).n_jobs == 4 + 3


@pytest.mark.parametrize(
    ("n_jobs", "gpus", "demands", "threads"),
    [
        (None, [], [Demand()] * 9, 2),  # three at a time
        (None, [], [Demand()], 8),  # one alone has all cores
        (4, [], [Demand()] * 9, 2),
        (2, [], [Demand(2)] * 9, 2),  # two runs of two processes
        (16, [], [Demand()] * 99, 1),
        (None, ["0", "1"], [Demand(1, 1)] * 9, 4),
    ],
)
def test_the_processes_side_by_side_share_the_cores(n_jobs, gpus, demands, threads):
    assert count_threads(make_pool(n_jobs, gpus, demands), demands, {}) == threads


def test_what_the_user_has_said_of_threads_stands():
    assert count_threads(make_pool(None, [], [Demand()]), [Demand()], {"OMP_NUM_THREADS": "5"}) == 5


def test_n_jobs_above_the_number_of_gpus_has_runs_share_them():
    assert make_pool(None, ["0", "1"], [Demand(1, 1)]).runs_per_gpu == 1
    assert make_pool(2, ["0", "1"], [Demand(1, 1)]).runs_per_gpu == 1
    assert make_pool(4, ["0", "1"], [Demand(1, 1)]).runs_per_gpu == 2
    assert make_pool(2, ["0", "1"], [Demand(2, 2)]).runs_per_gpu == 2
