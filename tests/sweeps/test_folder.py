"""Whose folder it is."""

from pathlib import Path

import pytest

from genlab.errors import UsageError
from genlab.sweeps.sweep import claim

MINE = {"job": "train", "sweeper": "basic"}


def test_a_sweep_takes_its_own_folder_up_again(tmp_path):
    claim(tmp_path / "sweep", MINE).close()
    (tmp_path / "sweep" / "cell").mkdir()
    claim(tmp_path / "sweep", MINE).close()


@pytest.mark.parametrize(("key", "value"), [("job", "eval"), ("sweeper", "optuna")])
def test_a_sweep_of_another_kind_is_refused(key, value, tmp_path):
    claim(tmp_path, MINE | {key: value}).close()
    with pytest.raises(UsageError, match=f"holds a sweep whose {key} is {value}, not {MINE[key]}: .*sweep=NAME"):
        claim(tmp_path, MINE)


def test_a_folder_with_anything_else_in_it_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UsageError, match="holds other files and no sweep"):
        claim(tmp_path, MINE)
    (tmp_path / "config.yaml").touch()
    with pytest.raises(UsageError, match="holds a run and no sweep"):
        claim(tmp_path, MINE)
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.txt", "config.yaml"}
    with pytest.raises(UsageError, match="is a file"):
        claim(tmp_path / "thesis.txt", MINE)


def test_a_folder_that_can_not_be_made_is_refused():
    with pytest.raises(UsageError, match="can't be written to"):
        claim(Path("/proc/sweep"), MINE)
