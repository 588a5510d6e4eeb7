"""What a run says that has asked for more memory than there is."""

import logging
from contextlib import AbstractContextManager
from functools import partial

import torch
from omegaconf import DictConfig

from genlab.config.build import build
from genlab.errors import UsageError
from genlab.hardware import GPU, explain_memory, memory

COPIES = 4  # of the weights, that training takes at least: themselves, their gradients and two averages of Adam's


def check_size(cfg: DictConfig) -> None:
    """See that the weights of a model fit into the machine's memory: the system kills what takes more than there is.

    Raises:
        MemoryError: if they don't.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what a model says when it is built, it says once
    try:
        with torch.device("meta"), torch.no_grad():
            model = build(cfg.model)
    except UsageError:
        raise
    except Exception:
        return  # not every model can be built without memory
    finally:
        logging.disable(before)
    weights = [*model.parameters(), *model.buffers()]
    n_bytes = COPIES * sum(weight.numel() * weight.element_size() for weight in weights)
    if (available := memory()) is not None and n_bytes > available:
        raise MemoryError(f"can't allocate {n_bytes / 1e9:.0f} GB")


def explain_memory_errors(cfg: DictConfig) -> AbstractContextManager[None]:
    """Say in one sentence what to type where memory runs out within it; raises `OutOfMemory`."""
    return explain_memory(partial(_remedies, cfg))


def _remedies(cfg: DictConfig, device: str) -> str:
    size, is_gpu = cfg.data.batch_size, device == GPU
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
    return f", at data.batch_size={size}: type {half}{precision}.{narrower}"
