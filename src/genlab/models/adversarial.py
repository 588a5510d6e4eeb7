"""What models with an adversary share: players that step in turn, by hand."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from genlab.bounds import PositiveFloat, PositiveInt
from genlab.errors import UsageError, unknown
from genlab.losses.objective import Objective, as_objective
from genlab.models.base import ImageModel
from genlab.protocols import AdversarialLoss

Terms = dict[str, Tensor]

log = logging.getLogger(__name__)


class AdversarialModel(ImageModel):
    """A model whose `training_step` steps the optimisers of several players in turn.

    `global_step` counts batches, and with it `trainer.max_steps` and step-based checkpoints. (Lightning counts each
    step of each optimiser.) Clipping and schedules work here as the Trainer's own do elsewhere, and so does
    accumulation: `data.batch_size` images are in memory at once, and `accumulate` such batches make one update.

    A subclass gives `players` and `adversarial_step`, besides what `ImageModel` asks for.

    Args:
        image_shape, latent_dim, optimizer, scheduler, compile, channels_last: see `ImageModel`; each player has an
            optimiser and a schedule of its own.
        objective: the adversarial loss, with its penalties.
        d_steps: updates of D of which only the last one moves the other players, counted over the whole run.
        accumulate: batches whose gradients make one update of each player, first those of D with all of them.
        learning_rates: of players that differ from the optimiser's own, by the player's name.
        clip: largest norm of the gradient of a player, by its name.

    Raises:
        UsageError: for an impossible value or an unknown player.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt,
        objective: Objective | AdversarialLoss,
        d_steps: PositiveInt = 1,
        accumulate: PositiveInt = 1,
        learning_rates: Mapping[str, PositiveFloat] | None = None,
        clip: Mapping[str, PositiveFloat] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **common)
        self.automatic_optimization = False
        self.objective = as_objective(objective)
        self.d_steps = d_steps
        self.accumulate = accumulate
        self.learning_rates = dict(learning_rates or {})
        self.clip = dict(clip or {})
        self.n_updates = 0  # of D
        self._waiting: list[Tensor] = []  # images for the next one
        self._n_parts = 1

    @abstractmethod
    def players(self) -> Mapping[str, list[nn.Module]]:
        """The networks that each player moves, by the player's name."""

    def configure_optimizers(self) -> Any:
        """Make an optimiser and a schedule for each player."""
        for key, options in (("learning_rates", self.learning_rates), ("clip", self.clip)):
            for name in options.keys() - self.players().keys():
                raise UsageError(unknown(f"player in model.{key}", name, list(self.players())))
        optimizers = []
        for name, networks in self.players().items():
            parameters = [p for network in networks for p in network.parameters()]
            own = {"lr": self.learning_rates[name]} if name in self.learning_rates else {}
            optimizers.append(self.optimizer_factory(parameters, **own))
        return optimizers, [self.scheduler_factory(o) for o in optimizers] if self.scheduler_factory else []

    @abstractmethod
    def adversarial_step(self, parts: Sequence[Tensor]) -> Terms:
        """Step D and, if it is their turn, the other players: the paper's algorithm.

        Args:
            parts: images (B, C, H, W), whose gradients are averaged, all those of one player before those of the next.

        Returns:
            The terms of the newest losses, scalars by name.
        """

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Wait for all batches of an update, make it, and count."""
        if self.closes_update():
            parts = [*self._waiting, batch[0]]
            self._n_parts = len(parts)
            terms = self.adversarial_step(parts)
            self._waiting, self.n_updates = [], self.n_updates + 1
        else:
            self._waiting, terms = [*self._waiting, batch[0]], {}
        self.close_batch(terms)

    def generator_is_due(self) -> bool:
        """Whether the players besides D move in this update: in each n-th of the whole run, n being `d_steps`."""
        return (self.n_updates + 1) % self.d_steps == 0

    @contextmanager
    def only(self, player: str) -> Iterator[None]:
        """Within it only the weights of this player take gradients: none is computed that nobody uses."""
        with self.toggled_optimizer(self._optimizer(player)):
            yield

    def make(self, network: Callable[..., Any], *inputs: Sequence[Tensor]) -> tuple[list[Any], Iterable[Any]]:
        """What D's opponents make of each part: without gradients, for D, and with them, for their own step.

        A single part is made once for both. Of several each is made again when its turn comes: memory is to hold the
        graph of one of them, which is what they are there for. So `network` must draw nothing.

        Args:
            network: makes images, codes, or a tuple of both out of one of each of the inputs.
            inputs: lists with an entry a part.

        Returns:
            A list, and what can be gone through once.
        """
        once = self._n_parts == 1 and self.generator_is_due()
        with torch.set_grad_enabled(once):
            made = [network(*part) for part in zip(*inputs, strict=True)]
        again = (network(*part) for part in zip(*inputs, strict=True))
        return [_detach(part) for part in made], made if once else again

    def descend(self, terms: Mapping[str, Tensor], loss: str) -> None:
        """Add the gradient of one of the terms, a scalar, to that of the other parts."""
        self.terms = {name: term.detach() for name, term in terms.items()}
        self.manual_backward(terms[loss] / self._n_parts)

    def step(self, player: str) -> None:
        """Move a player down the gradient."""
        optimizer = self._optimizer(player)
        self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)  # `optimizer.step`, uncounted
        optimizer.zero_grad()

    def close_batch(self, terms: Mapping[str, Tensor]) -> None:
        """Count the batch, step the schedules, log."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        progress.increment_ready()
        progress.increment_completed()
        for schedule in self.trainer.lr_scheduler_configs:
            schedule.scheduler.step()  # type: ignore[call-arg]  # none of them waits for a metric
        self.log_training(terms)

    def rank_state(self) -> dict[str, Any]:
        """Also the images that wait, if any do."""
        return super().rank_state() | ({"waiting": list(self._waiting)} if self._waiting else {})

    def load_rank_state(self, state: dict[str, Any]) -> None:
        """Go on from a `rank_state`."""
        super().load_rank_state(state)
        self._waiting = [images.to(self.device) for images in state.get("waiting", [])]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the count of updates too."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["n_updates"] = self.n_updates

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting; a checkpoint of an earlier version counts batches alone."""
        super().on_load_checkpoint(checkpoint)
        self.n_updates = checkpoint.get("n_updates", checkpoint.get("global_step", 0) // self.accumulate)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradient of a player that has a largest norm; the gradients are unscaled by now."""
        for name, largest in self.clip.items():
            if self._optimizer(name).optimizer is optimizer:
                parameters = [p for group in optimizer.param_groups for p in group["params"]]
                nn.utils.clip_grad_norm_(parameters, largest)

    def on_fit_start(self) -> None:
        """Refuse what can't work together, and say what the chosen combination means."""
        super().on_fit_start()
        fused = any(optimizer.defaults.get("fused") for optimizer in self.trainer.optimizers)
        if self.clip and fused and self.trainer.precision == "16-mixed":
            raise UsageError(
                "model.clip with trainer.precision=16-mixed needs model.optimizer.fused=false: a fused optimiser takes "
                "the scale out of the gradients only after they would be clipped."
            )
        if self.compile_networks and self.objective.penalties:
            log.info("model.compile=true: penalties run on the uncompiled discriminator, which has second derivatives.")

    def closes_update(self) -> bool:
        """Whether the batch that goes on is the last one of an update."""
        n_done = self.trainer.fit_loop.epoch_loop.batch_idx + 1
        return n_done % self.accumulate == 0 or self.trainer.is_last_batch

    def _optimizer(self, player: str) -> LightningOptimizer:
        optimizers = self.optimizers()
        return dict(zip(self.players(), optimizers, strict=True))[player]


def _detach(made: Any) -> Any:
    """A tensor, or a tuple of such, cut off from what made it."""
    return tuple(part.detach() for part in made) if isinstance(made, tuple) else made.detach()
