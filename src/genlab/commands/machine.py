"""What the machine offers, against what the config asks for."""

import ctypes
import faulthandler
import logging
import os
import sys
import warnings
from contextlib import suppress
from typing import Any

import torch
from lightning.pytorch.accelerators import CPUAccelerator, CUDAAccelerator, MPSAccelerator
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, ListConfig

from genlab.bounds import PositiveInt
from genlab.config.values import convert
from genlab.errors import UsageError, one_line, unknown

# Of torchrun and Kubeflow, of Lightning's own way, of SLURM, LSF, Open MPI and other MPIs.
STARTED_TOGETHER = {"MASTER_ADDR", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID", "LSB_JOBID"}
STARTED_TOGETHER |= {"OMPI_COMM_WORLD_RANK", "PMI_RANK"}

log = logging.getLogger(__name__)


def check_machine(trainer: DictConfig) -> None:
    """Refuse a trainer that needs what the machine has not; say where `trainer=ddp` falls back to the CPU."""
    accelerator = str(trainer.get("accelerator", "auto"))
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    available = {"auto": True, "cpu": True, "gpu": cuda or mps, "cuda": cuda, "mps": mps}
    if accelerator not in available:
        raise UsageError(unknown("value of trainer.accelerator", accelerator, list(available)))
    if not available[accelerator]:
        raise UsageError(
            f"trainer.accelerator={accelerator} asks for a GPU and PyTorch sees none here: type trainer=cpu, or "
            "trainer=default to take what the machine has."
        )
    if accelerator == "auto" and "ddp" in str(trainer.get("strategy")).lower() and not cuda:
        log.warning("trainer=ddp finds no CUDA GPU: it runs in one process on the CPU (trainer=ddp_cpu takes two).")
        trainer.accelerator = "cpu"
        trainer.devices = 1


def has_several_processes(trainer: DictConfig) -> bool:
    """Whether a trainer takes more than one device, or more than one machine."""
    devices: Any = trainer.get("devices", "auto")
    if devices in ("auto", -1):
        devices = 1 if trainer.get("accelerator") == "cpu" else torch.cuda.device_count()
    n_devices = len(devices) if isinstance(devices, ListConfig) else devices
    return n_devices > 1 or trainer.get("num_nodes", 1) > 1


def check_devices(trainer: DictConfig) -> None:
    """Refuse a number of devices or machines that can't be: processes would wait for others for half an hour."""
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    devices: Any = trainer.get("devices", "auto")
    if devices != "auto":
        gpu = CUDAAccelerator if torch.cuda.is_available() else MPSAccelerator
        accelerator: Any = gpu if has_gpu and trainer.get("accelerator") != "cpu" else CPUAccelerator
        try:
            accelerator.parse_devices(list(devices) if isinstance(devices, ListConfig) else devices)
        except (TypeError, ValueError, MisconfigurationException) as error:
            raise UsageError(f"trainer.devices={devices} is not possible: {one_line(error)}") from error
    n_nodes = convert("trainer.num_nodes", trainer.get("num_nodes", 1), PositiveInt)
    if n_nodes > 1 and not STARTED_TOGETHER & os.environ.keys():
        raise UsageError(
            f"trainer.num_nodes={n_nodes} needs as many machines, with processes that torchrun or SLURM has started: "
            "see docs/clusters.md, or leave it out for this machine alone."
        )


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


def know_there_is_no_gpu() -> None:
    """Have PyTorch's optimisers not open NVIDIA's library at every step, in vain, where there is no such GPU.

    Lightning's import asks PyTorch to look by that way, which suits processes that fork before they use a GPU. It takes
    a third of a millisecond a step and player; where there is a GPU, PyTorch remembers what it has found.
    """
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


def allow_tf32(is_allowed: bool) -> None:
    """Have a GPU compute products of float32 matrices with 10 bits of their 23, or with all of them."""
    torch.set_float32_matmul_precision("high" if is_allowed else "highest")


def say_where_it_crashed() -> None:
    """Have Python write to the terminal where it was when the system kills it.

    So it does where a memory-mapped file of images is cut off while a run reads it (SIGBUS).
    """
    with suppress(OSError, ValueError, AttributeError):  # a stderr that is no file
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
