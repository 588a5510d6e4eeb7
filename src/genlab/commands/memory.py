"""What a run says that has asked for more memory than there is."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch
from omegaconf import DictConfig

from genlab.config.build import build
from genlab.errors import UsageError, causes
from genlab.hardware import CPU_EXHAUSTED, memory

MPS_EXHAUSTED = "MPS backend out of memory"  # in a RuntimeError like all others
COPIES = 4  # of the weights, that training takes at least: themselves, their gradients and two averages of Adam's


class OutOfMemory(UsageError):
    """A device or the machine has no memory left."""


def check_size(cfg: DictConfig) -> None:
    """See that the weights of a model fit into the machine's memory: the system kills what takes more than there is.

    Raises:
        MemoryError: if they don't.
    """
    try:
        with _silence(), torch.device("meta"), torch.no_grad():
            model = build(cfg.model)
    except UsageError:
        raise
    except Exception as error:
        _raise_if_too_large(str(error))
        return  # not every model can be built without memory
    weights = [*model.parameters(), *model.buffers()]
    n_bytes = COPIES * sum(weight.numel() * weight.element_size() for weight in weights)
    if (available := memory()) is not None and n_bytes > available:
        raise MemoryError(f"can't allocate {n_bytes / 1e9:.0f} GB")


def _raise_if_too_large(error: str) -> None:
    """Tell a tensor that is larger than any memory from other reasons for which PyTorch can't make it."""
    if CPU_EXHAUSTED in error:
        raise MemoryError(error)
    if "overflow" in error.lower():
        sizes = re.search(r"sizes=\[([\d, ]+)\]", error)
        raise MemoryError(f"can't allocate {4 * prod(map(int, sizes[1].split(',')))} bytes" if sizes else error)


@contextmanager
def _silence() -> Iterator[None]:
    """What a model says when it is built, it says once."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def explain_memory_errors(cfg: DictConfig) -> Iterator[None]:
    """Say in one sentence what to type where memory runs out within it.

    Raises:
        OutOfMemory: in place of PyTorch's and Python's errors.
    """
    try:
        yield
    except Exception as error:
        cause = next(filter(_exhausted, causes(error)), None)  # Hydra wraps what a constructor raises
        if cause is None:
            raise
        device = _exhausted(cause)
        amount = re.search(r"allocate ([\d.]+ \w+)", str(cause))
        more = f" for another {amount[1]}" if amount else ""
        raise OutOfMemory(f"{device} has no memory left{more}, at {_remedies(cfg, device == 'The GPU')}") from error


def _exhausted(error: BaseException) -> str | None:
    """The device whose lack of memory an error speaks of; None for other errors."""
    if isinstance(error, torch.OutOfMemoryError) or MPS_EXHAUSTED in str(error):
        return "The GPU"
    return "The machine" if isinstance(error, MemoryError) or CPU_EXHAUSTED in str(error) else None


def _remedies(cfg: DictConfig, is_gpu: bool) -> str:
    size = cfg.data.batch_size
    key, node = ("trainer.accumulate_grad_batches", cfg.trainer)
    if "accumulate" in cfg.model:
        key, node = "model.accumulate", cfg.model
    name = key.rpartition(".")[2]
    again = f"{'' if name in node else '+'}{key}={2 * (node.get(name) or 1)}"
    if key == "model.accumulate" and (cfg.trainer.get("max_steps") or -1) > 0:
        again += f" trainer.max_steps={2 * cfg.trainer.max_steps}"  # which counts batches here
    half = f"data.batch_size={size // 2} {again}" if size > 1 else "a smaller data.size, or narrower networks"
    is_full = is_gpu and torch.cuda.is_available() and str(cfg.trainer.get("precision")).startswith("32")
    precision = ", or trainer.precision=bf16-mixed" if is_full else ""
    narrower = "" if is_gpu or size == 1 else " If that is not enough, take smaller networks, or a smaller latent_dim."
    return f"data.batch_size={size}: type {half}{precision}.{narrower}"
