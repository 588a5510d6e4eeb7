"""What the machine offers, against what the config asks for."""

import ctypes
import faulthandler
import logging
import sys
import warnings
from contextlib import suppress

import torch
from lightning.pytorch.utilities import rank_zero_only
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
    if accelerator == "auto" and "ddp" in str(trainer.get("strategy")).lower() and not torch.cuda.is_available():
        log.warning("trainer=ddp finds no CUDA GPU: it runs in one process on the CPU (trainer=ddp_cpu takes two).")
        trainer.accelerator = "cpu"
        trainer.devices = 1


def keep_freed_memory() -> None:
    """Have glibc keep up to 512 MiB of what tensors on the CPU free.

    At its defaults it may hand the memory of each layer's output back to the kernel, and get it again at the next step,
    page by page and zeroed: a third of the time of a small network's step. After some large block has been freed it
    stops doing so by itself, so without this the speed depends on what else has run in the process.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        m_trim_threshold, m_mmap_threshold = -1, -3
        libc.mallopt(m_mmap_threshold, 2**25)  # bytes, the largest that it takes
        libc.mallopt(m_trim_threshold, 2**29)


def say_where_it_crashed() -> None:
    """Have Python write to the terminal where it was when the system kills it.

    So it does where a memory-mapped file of images has been cut off while a run reads it (SIGBUS): nothing can catch
    that, and the next start finds it.
    """
    with suppress(OSError, ValueError, AttributeError):  # a stderr that is no file
        if not faulthandler.is_enabled():
            faulthandler.enable()


def quieten() -> None:
    """Silence what Lightning tells a user without bearing on the run, and all processes but the first."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if getattr(rank_zero_only, "rank", 0) != 0:
        logging.getLogger("genlab").setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",  # arrays in memory need none
        ".*smaller than the logging interval.*",
        ".*isinstance.treespec, LeafSpec.*",
        ".*callbacks used to create the checkpoint need to be provided.*",  # whoever leaves one out means to
    ):
        warnings.filterwarnings("ignore", message)
