"""Who may start: no GPU is needed to know."""

from genlab.sweeps.resources import Demand, Lease, Pool, Queue

ONE_GPU, FOUR_GPUS, ONE_CORE = Demand(1, 1), Demand(4, 4), Demand(1)
FOUR = ("0", "1", "2", "3")


def all_that_may_start(queue):
    return list(iter(queue.next, None))


def test_each_cell_has_gpus_of_its_own_and_the_next_one_gets_those_given_back():
    pool = Pool(FOUR)
    queue = Queue(pool, [("a", Demand(2, 2)), ("b", ONE_GPU), ("c", ONE_GPU), ("d", ONE_GPU)])
    first = all_that_may_start(queue)
    assert first == [("a", Lease(("0", "1"))), ("b", Lease(("2",))), ("c", Lease(("3",)))]
    pool.give_back(first[1][1])
    assert queue.next() == ("d", Lease(("2",)))
    assert queue.next() is None


def test_a_cell_of_four_gpus_is_not_passed_by_cells_of_one():
    pool = Pool(FOUR)
    queue = Queue(pool, [("small", ONE_GPU), ("large", FOUR_GPUS), ("late", ONE_GPU)])
    ((key, lease),) = all_that_may_start(queue)  # three GPUs are free, and wait for the large one
    assert key == "small"
    pool.give_back(lease)
    ((key, lease),) = all_that_may_start(queue)
    assert (key, lease.gpus) == ("large", FOUR)
    pool.give_back(lease)
    assert [key for key, _ in all_that_may_start(queue)] == ["late"]


def test_cells_without_a_gpu_pass_one_that_waits_for_gpus_and_the_other_way_round():
    queue = Queue(Pool(["0"], n_cores=1), [("gpu", ONE_GPU), ("waits", ONE_GPU), ("cpu", ONE_CORE), ("too", ONE_CORE)])
    assert [key for key, _ in all_that_may_start(queue)] == ["gpu", "cpu"]
    queue = Queue(Pool(["0"], n_cores=1), [("cpu", ONE_CORE), ("waits", ONE_CORE), ("gpu", ONE_GPU)])
    assert [key for key, _ in all_that_may_start(queue)] == ["cpu", "gpu"]


def test_cells_share_a_gpu_only_where_that_is_said_and_spread_evenly_then():
    assert len(all_that_may_start(Queue(Pool(["0", "1"]), enumerate([ONE_GPU] * 5)))) == 2
    shared = all_that_may_start(Queue(Pool(["0", "1"], n_jobs=4, cells_per_gpu=2), enumerate([ONE_GPU] * 5)))
    assert [lease.gpus for _, lease in shared] == [("0",), ("1",), ("0",), ("1",)]


def test_a_cell_of_two_processes_takes_two_cores_and_one_of_too_many_takes_all():
    queue = Queue(Pool(n_cores=3), [("two", Demand(2)), ("one", ONE_CORE), ("next", ONE_CORE)])
    assert [(key, lease.n_cores) for key, lease in all_that_may_start(queue)] == [("two", 2), ("one", 1)]
    assert Pool(n_cores=3).take(Demand(8)) == Lease(n_cores=3)


def test_n_jobs_bounds_all_cells_and_counts_again_when_one_ends():
    pool = Pool(FOUR, n_jobs=2)
    queue = Queue(pool, enumerate([ONE_CORE, ONE_GPU, ONE_CORE]))
    (_, lease), _ = all_that_may_start(queue)
    pool.give_back(lease)
    assert len(all_that_may_start(queue)) == 1
