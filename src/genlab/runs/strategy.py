"""Distributed training of models with one optimiser or several."""

from lightning.pytorch.strategies import DDPStrategy


class DDP(DDPStrategy):
    """Lightning's DDP, which looks for unused parameters only in models that step several optimisers by hand.

    There a step of D leaves G's parameters unused, and DDP would wait for their gradients for ever. Elsewhere the
    search costs a walk through the graph at every step.
    """

    def configure_ddp(self) -> None:
        """Wrap the model."""
        assert self.lightning_module is not None
        if not self.lightning_module.automatic_optimization:
            self._ddp_kwargs["find_unused_parameters"] = True
        super().configure_ddp()
