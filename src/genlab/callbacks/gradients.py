"""The norms of the gradients with which networks were moved."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer


class GradientNorms:
    """The norm of each network's gradient at some steps of training, and what is typical of them."""

    def __init__(self) -> None:
        self.newest: dict[str, Tensor] = {}  # of the current batch
        self._seen: dict[str, list[Tensor]] = {}

    def note(self, model: nn.Module, optimizer: Optimizer, scale: float = 1.0) -> None:
        """Measure the gradients of the networks, children of the model, that an optimiser is about to move.

        Where several optimisers move one network at a batch (an encoder that reconstructs and deceives), the largest
        norm counts. `scale` is what mixed precision has multiplied the gradients by.
        """
        own = {parameter for group in optimizer.param_groups for parameter in group["params"]}
        for name, network in model.named_children():
            gradients = [p.grad for p in network.parameters() if p in own and p.grad is not None]
            if gradients:
                norm = get_total_norm(gradients) / scale
                self.newest[name] = torch.maximum(norm, self.newest.get(name, norm))

    def close_batch(self) -> dict[str, Tensor]:
        """Return the norms of this batch, scalars by the network's name, and start another."""
        norms, self.newest = self.newest, {}
        for name, norm in norms.items():
            self._seen.setdefault(name, []).append(norm)
        return norms

    def typical(self) -> dict[str, float]:
        """Return the median norm of each network since the last call, infinite if most norms are NaN."""
        seen, self._seen = self.state_dict(), {}
        return {name: norms.nan_to_num(nan=torch.inf, posinf=torch.inf).median().item() for name, norms in seen.items()}

    def state_dict(self) -> dict[str, Tensor]:
        """The norms (steps,) since `typical` was last asked for, by the network's name."""
        return {  # norms out of a checkpoint lie on the CPU
            name: torch.stack([norm.to(norms[-1].device) for norm in norms]).cpu() for name, norms in self._seen.items()
        }

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        self._seen = {name: list(norms) for name, norms in state_dict.items()}


def fused_scale(trainer: Any, optimizer: Optimizer) -> float:
    """What gradients are still multiplied by before an optimiser's step: a fused one takes the scale out itself."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return scaler.get_scale() if scaler and getattr(optimizer, "_step_supports_amp_scaling", False) else 1.0
