"""Work that is divided among processes."""

import pytest
from typed import run_two

from genlab.distributed import Interrupted, gathered, in_batches, rank_and_world_size

WORKER = """
from pathlib import Path
import torch.distributed as dist
from genlab.distributed import Interrupted, gathered, in_batches, leave_group_at_exit, rank_and_world_size
leave_group_at_exit()
dist.init_process_group("gloo")
rank, world_size = rank_and_world_size()
for n in (0, 1, 4, 5, 12):
    found = list(in_batches(lambda number, rows: (number, rows.start, rows.stop), n, 4))
    assert found == [(i, s, min(s + 4, n)) for i, s in enumerate(range(0, n, 4))], found
done = []
list(in_batches(lambda number, rows: done.append(number), 20, 4))
assert done == list(range(rank, 5, 2)), done
try:
    list(in_batches(lambda number, rows: None, 20, 4, interrupted=lambda: rank == 1))
except Interrupted:
    Path(f"rank{rank}").write_text(f"interrupted, gathered {gathered(rank)} of {world_size}")
"""


def test_batches_come_in_order_and_each_item_is_in_one():
    found = list(in_batches(lambda number, rows: (number, list(range(rows.start, rows.stop))), 5, 2))
    assert found == [(0, [0, 1]), (1, [2, 3]), (2, [4])]


def test_a_single_process_is_rank_0_of_1_and_gathers_what_it_has():
    assert rank_and_world_size() == (0, 1)
    assert gathered("mine") == ["mine"]


def test_it_stops_before_the_next_batch():
    done = []
    with pytest.raises(Interrupted):
        list(in_batches(lambda number, rows: done.append(number), 10, 2, interrupted=lambda: len(done) == 2))
    assert done == [0, 1]


@pytest.mark.slow
def test_two_processes_take_turns_see_all_results_in_order_and_stop_together(tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    run_two(tmp_path / "worker.py", cwd=tmp_path)
    for rank in (0, 1):
        assert (tmp_path / f"rank{rank}").read_text() == "interrupted, gathered [0, 1] of 2"
