"""Moving what is on the CPU to where it is used, without making a GPU wait."""

from math import prod

import torch
from torch import Tensor

from genlab.protocols import ImageArray


def send(values: Tensor, to: Tensor | torch.device) -> Tensor:
    """Move a tensor to a device, or to the device and type of another one.

    To a GPU the copy joins the queue: `values.to(device)` would wait until all has been done that stands there, in the
    middle of each step that draws noise. (What is copied may be changed at once: the driver takes pageable memory over
    before the call returns.)
    """
    device = to.device if isinstance(to, Tensor) else to
    waits = device.type in ("cpu", "mps")  # a transfer to mps that does not wait may come too late (PyTorch #83015)
    return values.to(to, non_blocking=not waits)


def free_bytes(device: torch.device) -> int:
    """What a GPU of CUDA has free; 0 for any other device."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def load_onto(images: ImageArray, device: torch.device, n_at_once: int = 10_000) -> Tensor | None:
    """All uint8 images (N, C, H, W) of an array as one tensor on a GPU, read part by part.

    None if they would take more than half of what is free there, which the networks need too.
    """
    if prod(images.shape) > free_bytes(device) // 2:
        return None
    loaded = torch.empty(tuple(images.shape), dtype=torch.uint8, device=device)
    for start in range(0, len(loaded), n_at_once):
        loaded[start : start + n_at_once] = images[start : start + n_at_once]
    return loaded
