"""Files made to run code or to lead elsewhere, given to the commands that read them; see also test_load.py."""

import io
import shutil
import tarfile

import numpy as np
import pytest
import torch
from settings import ROOT, TINY
from typed import type_in

from genlab.run.checkpoint import read_checkpoint

PICTURE = (ROOT / "docs" / "digits_gan.png").read_bytes()
COMMANDS = {"train": "resume", "eval": "run", "sample": "run"}


class Malice:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def trap(tmp_path):
    """A file that is there if somebody's code has run."""
    path = tmp_path / "trap"
    yield path
    assert not path.exists()


@pytest.fixture
def run(vae_run, tmp_path):
    """A copy of a run, to be poisoned."""
    return shutil.copytree(vae_run.path, tmp_path / "run")


def poison(run, change):
    """Change all checkpoints of a run."""
    for path in (run / "checkpoints").glob("*.ckpt"):
        torch.save(change(read_checkpoint(path)), path)


def error(result) -> str:
    """The one sentence that a command which has refused its input ends with."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return line


def test_the_trap_works(tmp_path):
    torch.save(Malice(tmp_path / "trap"), tmp_path / "file")
    torch.load(tmp_path / "file", weights_only=False).close()
    assert (tmp_path / "trap").exists()


@pytest.mark.parametrize("script", COMMANDS)
def test_a_checkpoint_that_would_run_code_is_refused(script, run, trap, tmp_path):
    poison(run, lambda checkpoint: checkpoint | {"extra": Malice(trap)})
    result = type_in(script, f"{COMMANDS[script]}={run}", cwd=tmp_path)
    assert "is refused: it is no checkpoint, or it holds more than tensors and plain containers" in error(result)


@pytest.mark.parametrize("script", COMMANDS)
def test_a_checkpoint_whose_configuration_names_a_function_is_refused(script, run, trap, tmp_path):
    def change(checkpoint):
        checkpoint["config"]["trainer"]["max_epochs"] = 9  # for train.py to have something left to do
        checkpoint["config"]["model"]["encoder"] = {"_target_": "os.system", "command": f"touch {trap}"}
        return checkpoint

    poison(run, change)
    result = type_in(script, f"{COMMANDS[script]}={run}", cwd=tmp_path)
    assert "asks for 'os.system'" in error(result)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["!!python/object/apply:os.system ['touch {trap}']", "model: {{_target_: os.system, command: 'touch {trap}'}}"],
    ids=["yaml tag", "target"],
)
def test_the_configuration_beside_a_checkpoint_is_written_over_and_never_read(text, run, trap, tmp_path):
    whole = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.format(trap=trap))
    result = type_in("train", f"resume={run}", "trainer.max_epochs=3", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (run / "config.yaml").read_text().splitlines()[:5] == whole.splitlines()[:5]


def test_a_tar_file_is_not_unpacked(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member = tarfile.TarInfo("../evil.png")
        member.size = len(PICTURE)
        tar.addfile(member, io.BytesIO(PICTURE))
    result = type_in("train", "data=folder", "data.root=a.tar", cwd=tmp_path)
    assert "type the folder in which the images are, or a .zip file" in error(result)
    assert not list(tmp_path.parent.rglob("evil.png"))


@pytest.mark.slow
def test_statistics_that_would_run_code_are_made_again(run, trap, tmp_path):
    command = ("train", *TINY, "callbacks.frechet.n_samples=8", "~callbacks.progress", "paths.data_dir=data")
    first = type_in(*command, cwd=tmp_path)
    (statistics,) = (tmp_path / "data" / "statistics").glob("*.npz")
    mean = np.empty(1, dtype=object)
    mean[0] = Malice(trap)
    np.savez(statistics, mean=mean, scatter=1, root=1, energy=1, n=1)
    second = type_in(*command, cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "can't be read" in second.stdout
    scores = [next(line for line in r.stdout.splitlines() if line.startswith("val/fd")) for r in (first, second)]
    assert scores[0] == scores[1]
