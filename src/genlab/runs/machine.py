"""What the machine offers, against what the config asks for."""

import logging

import torch
from omegaconf import DictConfig

from genlab.errors import UsageError

log = logging.getLogger(__name__)


def check_machine(trainer: DictConfig) -> None:
    """Refuse a trainer that needs a GPU on a machine without one; say where `trainer=ddp` falls back to the CPU.

    Raises:
        UsageError: with what to type instead.
    """
    accelerator = trainer.get("accelerator", "auto")
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    needs = {"gpu": has_gpu, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not needs.get(accelerator, True):
        raise UsageError(
            f"trainer.accelerator={accelerator} asks for a GPU and PyTorch sees none here: type trainer=cpu, or "
            "trainer=default to take what the machine has."
        )
    if accelerator == "auto" and "ddp" in str(trainer.get("strategy", "")) and not torch.cuda.is_available():
        log.warning("trainer=ddp finds no CUDA GPU: it runs in one process on the CPU (trainer=ddp_cpu takes two).")
        trainer.accelerator = "cpu"
        trainer.devices = 1
