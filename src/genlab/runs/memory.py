"""What a run says that has asked for more memory than there is."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from omegaconf import DictConfig

from genlab.errors import UsageError

MPS, CPU = "MPS backend out of memory", "DefaultCPUAllocator: can't allocate memory"  # RuntimeErrors like all others


class OutOfMemory(UsageError):
    """A device or the machine has no memory left."""


@contextmanager
def memory_explained(cfg: DictConfig) -> Iterator[None]:
    """Say in one sentence what to type where memory runs out within it.

    Raises:
        OutOfMemory: in place of PyTorch's and Python's errors.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not (device := _exhausted(cause)):
            cause = cause.__cause__  # Hydra wraps what a constructor raises
        if cause is None:
            raise
        amount = re.search(r"allocate ([\d.]+ \w+)", str(cause))
        more = f" for another {amount[1]}" if amount else ""
        raise OutOfMemory(f"{device} has no memory left{more}, at {_remedies(cfg, device == 'The GPU')}") from error


def _exhausted(error: BaseException) -> str | None:
    """The device whose lack of memory an error speaks of; None for other errors."""
    if isinstance(error, torch.OutOfMemoryError) or MPS in str(error):
        return "The GPU"
    return "The machine" if isinstance(error, MemoryError) or CPU in str(error) else None


def _remedies(cfg: DictConfig, is_gpu: bool) -> str:
    size = cfg.data.batch_size
    key, node = ("trainer.accumulate_grad_batches", cfg.trainer)
    if "accumulate" in cfg.model:
        key, node = "model.accumulate", cfg.model
    name = key.rpartition(".")[2]
    again = f"{'' if name in node else '+'}{key}={2 * (node.get(name) or 1)}"
    half = f"data.batch_size={size // 2} {again}" if size > 1 else "a smaller data.size, or narrower networks"
    is_full = is_gpu and torch.cuda.is_available() and str(cfg.trainer.get("precision")).startswith("32")
    return f"data.batch_size={size}: type {half}{', or trainer.precision=bf16-mixed' if is_full else ''}."
