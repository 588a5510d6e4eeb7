"""Moving what was drawn on the CPU to where it is used, without making a GPU wait."""

import torch
from torch import Tensor


def send(values: Tensor, to: Tensor | torch.device) -> Tensor:
    """Move a tensor to a device, or to the device and type of another one.

    To a GPU the copy joins the queue: `values.to(device)` would wait until all has been done that stands there, in the
    middle of each step that draws noise. (What is copied may be changed at once: the driver takes pageable memory over
    before the call returns.)
    """
    device = to.device if isinstance(to, Tensor) else to
    waits = device.type in ("cpu", "mps")  # a transfer to mps that does not wait may come too late (PyTorch #83015)
    return values.to(to, non_blocking=not waits)
