"""A run that asks for more memory than there is says what to type."""

import json
import subprocess
import sys

import pytest
import torch
from omegaconf import OmegaConf
from resuming import SMALL
from settings import config
from typed import type_in

from genlab.commands.memory import explain_memory_errors
from genlab.commands.train import train
from genlab.hardware import OutOfMemory
from genlab.models import VAE

CUDA = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.10 GiB of which 10.00 MiB is "
    "free."
)
MPS = "MPS backend out of memory (MPS allocated: 17.90 GiB, max allowed: 18.13 GiB). Tried to allocate 256.00 MiB."


def said(error: Exception, *overrides: str) -> str:
    with pytest.raises(OutOfMemory) as caught, explain_memory_errors(config(*overrides)):
        raise error
    return str(caught.value)


def test_a_gpu_is_relieved_by_half_batches_or_half_precision(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    half = "The GPU has no memory left for another 20.00 MiB, at data.batch_size=32: type data.batch_size=16 "
    instead = ", or trainer.precision=bf16-mixed."
    error = torch.OutOfMemoryError(CUDA)
    assert said(error) == f"{half}+trainer.accumulate_grad_batches=2{instead}"
    assert said(error, "model=gan", "data.batch_size=32") == f"{half}model.accumulate=2{instead}"
    longer = said(error, "model=gan", "trainer.max_steps=100")  # its steps count batches
    assert longer == f"{half}model.accumulate=2 trainer.max_steps=200{instead}"
    assert said(error, "trainer.precision=bf16-mixed") == f"{half}+trainer.accumulate_grad_batches=2."
    more = said(error, "+trainer.accumulate_grad_batches=3")
    assert more == f"{half}trainer.accumulate_grad_batches=6{instead}"


def test_so_are_other_devices():
    text = said(RuntimeError(MPS), "data.batch_size=7")
    assert text.startswith("The GPU has no memory left for another 256.00 MiB, at data.batch_size=7: type data.batch_")
    assert "batch_size=3" in text
    assert "bf16" not in text
    assert said(MemoryError(), "data.batch_size=1").endswith("type a smaller data.size, or narrower networks.")
    with pytest.raises(RuntimeError) as real:
        torch.empty(10**15)
    assert "The machine has no memory left for another 4000000000000000 bytes" in said(real.value)


def test_an_error_that_is_its_own_cause_passes():
    error = RuntimeError("shapes differ")
    with pytest.raises(RuntimeError, match=r"^shapes differ$"), explain_memory_errors(OmegaConf.create()):
        raise error from error


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match=r"^shapes differ$"), explain_memory_errors(OmegaConf.create()):
        raise RuntimeError("shapes differ")


def test_networks_that_are_too_large_are_said_in_one_sentence_by_the_real_command(tmp_path):
    result = type_in("train", *SMALL, "model/decoder=mlp", "model.decoder.width=100000000000", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("error: The machine has no memory left for another ")
    assert "data.batch_size=16: type data.batch_size=8 +trainer.accumulate_grad_batches=2." in result.stderr
    assert "Traceback" not in result.stderr
    (run,) = (tmp_path / "logs" / "train" / "runs").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["error"].startswith("OutOfMemory: The machine has no memory left")


def test_a_gpu_that_is_full_in_the_middle_leaves_a_checkpoint_of_the_step_before(tmp_path, monkeypatch):
    step = VAE.training_step

    def full(self, batch, batch_idx):
        if self.global_step == 5:
            raise torch.OutOfMemoryError(CUDA)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(VAE, "training_step", full)
    with pytest.raises(OutOfMemory, match=r"20\.00 MiB"):
        train(config(*SMALL, run_dir=tmp_path))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert "data.batch_size=16" in summary["error"]
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()


LIMITED = """
import resource, sys
sys.path[:0] = {paths}
from settings import config
from genlab.errors import UsageError
from genlab.models import VAE
from genlab.commands.train import train
step = VAE.training_step
def limited(self, batch, batch_idx):
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**27, resource.RLIM_INFINITY))
    x = batch[0].repeat(2**12, 1, 1, 1)
    return step(self, (x, batch[1]), batch_idx)
VAE.training_step = limited
try:
    train(config(*{overrides}, run_dir=sys.argv[1]), [])
except UsageError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
def test_a_machine_that_runs_out_of_memory_within_a_step(tmp_path):
    paths = [path for path in sys.path if path.endswith(("src", "tests"))]
    script = LIMITED.format(paths=paths, overrides=list(SMALL))
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert "The machine has no memory left for another" in result.stdout, result.stderr
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "failed"
