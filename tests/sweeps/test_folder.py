"""Whose folder it is."""

from pathlib import Path

import pytest

from genlab.errors import UsageError
from genlab.sweeps.folder import lock_sweep


def test_a_sweep_takes_its_own_folder_up_again(tmp_path):
    lock_sweep(tmp_path / "sweep").close()
    (tmp_path / "sweep" / "run").mkdir()
    lock_sweep(tmp_path / "sweep").close()


def test_a_folder_that_holds_a_run_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "config.yaml").touch()
    with pytest.raises(UsageError, match="holds a run and no sweep"):
        lock_sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_folder_that_can_not_be_made_is_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    for folder in (tmp_path / "thesis.txt", Path("/proc/sweep")):
        with pytest.raises(UsageError, match="can't be written to"):
            lock_sweep(folder)
