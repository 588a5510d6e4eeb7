"""A sweep's name, as it is typed."""

import pytest
from typed import assert_refused, type_in


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/b", ".."])
def test_a_sweep_stays_in_the_folder_of_sweeps(name, tmp_path):
    result = type_in("train", "-m", f"sweep={name}", "model=ae,vae", cwd=tmp_path)
    assert_refused(result, f"error: sweep={name} is a path", "hydra.sweep.dir=PATH")
    assert not list(tmp_path.iterdir())


def test_a_glob_that_matches_nothing_is_said(tmp_path):
    result = type_in("train", "-m", "sweep=mine", "experiment=glob(no_such_*)", cwd=tmp_path)
    assert_refused(result, "error: The sweep has no run", "glob")
