"""The short form of inject.py, in a run of a VAE; and that it tells a run which has not survived."""

import signal
from random import Random

import pytest
import torch
from damage import HalfRow, Killed, SummaryDamaged, Truncated
from inject import injected, report, whole
from kinds import DiskFull, Ordered, Signal
from training import INTERVAL

from genlab.run.checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A run that is left alone."""
    return whole("vae", tmp_path_factory.mktemp("reference") / "vae")


@pytest.mark.rare
def test_a_run_survives_six_faults_and_ends_as_one_without(reference, tmp_path, capsys):
    faults = [
        Signal(signal.SIGTERM, 143, 0),
        Truncated(),
        DiskFull(),
        HalfRow(),
        Ordered("loss that is NaN", "spoil", INTERVAL),
        SummaryDamaged(),
    ]
    injections = injected("vae", faults, tmp_path / "run", reference, "0")
    assert report(injections) == 0, capsys.readouterr().out
    assert [injection.end for injection in injections] == ["equal"] * 6
    assert capsys.readouterr().out.count("│ 1     │ 1        │") == 6


class Tampered(Killed):
    """One weight is another, and the file is whole."""

    name = "tampered with"

    def damage(self, run, numbers: Random) -> None:
        """Change it."""
        path = run.folder / "checkpoints" / "last.ckpt"
        checkpoint = read_checkpoint(path)
        weight = next(value for key, value in checkpoint["state_dict"].items() if key.startswith("decoder"))
        weight.view(-1)[0] += 1e-3
        torch.save(checkpoint, path)


class Forgotten(Killed):
    """All checkpoints are gone."""

    name = "checkpoints removed"

    def damage(self, run, numbers: Random) -> None:
        """Remove them."""
        for path in (run.folder / "checkpoints").glob("*.ckpt"):
            path.unlink()


@pytest.mark.rare
def test_lost_steps_and_one_other_weight_are_told_and_the_folder_stays(reference, tmp_path, capsys):
    forgotten, tampered = injected("vae", [Forgotten(), Tampered()], tmp_path / "run", reference, "0")
    assert report([forgotten, tampered]) == 1
    said = capsys.readouterr().out
    assert f"checkpoints removed at step {forgotten.step}: {forgotten.lost} steps are lost and {INTERVAL} may" in said
    assert f"{tmp_path}/run, tampered with at step {tampered.step}: the end of the run differs" in said
    assert (tmp_path / "run" / "config.yaml").is_file()
