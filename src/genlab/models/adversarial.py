"""What models with an adversary share: manual optimisation of several players in turn."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from genlab.bounds import PositiveFloat, PositiveInt
from genlab.errors import UsageError, unknown
from genlab.losses.objective import Objective
from genlab.models.base import ImageModel
from genlab.models.critic import warn_of_critic
from genlab.models.scheduled import Target, check_schedules, of_optimizers
from genlab.protocols import AdversarialLoss

Terms = dict[str, Tensor]
Part = tuple[Tensor, Tensor | None]  # images (B, C, H, W), and their labels, where the model takes any


class AdversarialModel(ImageModel):
    """A model whose players, D and its opponents, have an optimiser and a schedule each and step in turn.

    `global_step`, and with it `trainer.max_steps` and step-based checkpoints, counts batches, not optimiser steps as in
    Lightning. `accumulate` batches of `data.batch_size` images make one update; memory holds the graph of one.

    A subclass gives `players`, of which D is called `discriminator`, and `adversarial_step`, besides what `ImageModel`
    asks for.

    Args:
        image_shape, latent_dim, common: see `ImageModel`.
        objective: the adversarial loss, with its penalties.
        d_steps: updates of D of which only the last one moves the other players, counted over the whole run.
        accumulate: batches whose gradients make one update of each player, first those of D with all of them.
        learning_rates: of players that differ from the optimiser's own, by the player's name.
        optimizers: other arguments of the optimisers of players that differ, by the player's name.
        clip: largest norm of the gradient of a player, by its name.

    Raises:
        UsageError: for an impossible value or an unknown player.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None,
        objective: Objective | AdversarialLoss,
        d_steps: PositiveInt = 1,
        accumulate: PositiveInt = 1,
        learning_rates: Mapping[str, PositiveFloat] | None = None,
        optimizers: Mapping[str, Mapping[str, Any]] | None = None,
        clip: Mapping[str, PositiveFloat] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **common)
        self.automatic_optimization = False
        # Configurations of older checkpoints have the bare loss.
        self.objective = objective if isinstance(objective, Objective) else Objective(objective)
        self.d_steps = d_steps
        self.accumulate = accumulate
        self.learning_rates = dict(learning_rates or {})
        self.optimizer_options = dict(optimizers or {})
        self.clip = dict(clip or {})
        self.n_updates = 0  # of D
        self._waiting: list[Part] = []  # for the next one
        self._n_parts = 1

    @abstractmethod
    def players(self) -> Mapping[str, list[nn.Module]]:
        """The networks that each player moves, by the player's name."""

    def configure_optimizers(self) -> Any:
        by_player: dict[str, Mapping[str, Any]] = {
            "learning_rates": self.learning_rates,
            "optimizers": self.optimizer_options,
            "clip": self.clip,
        }
        for key, options in by_player.items():
            for name in options.keys() - self.players().keys():
                raise UsageError(unknown(f"player in model.{key}", name, list(self.players())))
        optimizers = []
        for name, networks in self.players().items():
            parameters = [p for network in networks for p in network.parameters()]
            own = {"lr": self.learning_rates[name]} if name in self.learning_rates else {}
            own |= self.optimizer_options.get(name, {})
            optimizers.append(self.optimizer_factory(parameters, **own))
        check_schedules(self.schedules, self.schedule_targets(optimizers), self.scheduler_factory is not None)
        return optimizers, [self.scheduler_factory(o) for o in optimizers] if self.scheduler_factory else []

    def schedule_targets(self, optimizers: Sequence[Optimizer]) -> dict[str, Target]:
        """Also each penalty's weight by the penalty's name, and the learning rate of each player."""
        targets = super().schedule_targets(optimizers)
        for player, optimizer in zip(self.players(), optimizers, strict=False):  # there may be none
            targets[f"{player}_lr"] = of_optimizers([optimizer])["lr"]
        weights = {name: Target(partial(setattr, part, "weight")) for name, part in self.objective.penalties.items()}
        return targets | weights

    @abstractmethod
    def adversarial_step(self, parts: Sequence[Part]) -> Terms:
        """Step D and, if it is their turn, the other players: the paper's algorithm.

        Args:
            parts: images (B, C, H, W) with their labels, or None where the model takes none. Their gradients are
                averaged, all those of one player before those of the next.

        Returns:
            The terms of the newest losses, scalars by name.
        """

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Collect the batches of an update and make it; count the batch and step the schedules."""
        parts = [*self._waiting, self.told(batch)]
        if self.is_last_accumulation():
            self._n_parts = len(parts)
            terms = self.adversarial_step(parts)
            self._waiting, self.n_updates = [], self.n_updates + 1
        else:
            self._waiting, terms = parts, {}
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        progress.increment_ready()
        progress.increment_completed()
        for schedule in self.trainer.lr_scheduler_configs:
            schedule.scheduler.step()  # type: ignore[call-arg]  # none of them waits for a metric
        self.log_training(terms)

    def generator_is_due(self) -> bool:
        """Whether the players besides D move in this update: in each n-th of the whole run, n being `d_steps`."""
        return (self.n_updates + 1) % self.d_steps == 0

    @contextmanager
    def only(self, player: str) -> Iterator[None]:
        """Compute gradients for the weights of this player alone."""
        with self.toggled_optimizer(self._optimizer(player)):
            yield

    def make(
        self, network: Callable[..., Any], *inputs: Sequence[Any], detached_only: bool = False
    ) -> tuple[list[Any], Iterable[Any]]:
        """Compute D's inputs for each batch of an update: detached for D's step, and with gradients for the players'.

        A single batch is computed once for both. Of several each is computed again in its turn, so that memory holds
        the graph of one; `network` must therefore draw no random numbers.

        Args:
            network: maps one entry of each of the inputs to images, codes, or a tuple of both.
            inputs: lists with an entry a batch.
            detached_only: whether the players will step on others, so that D's need no graph.

        Returns:
            A list, and an iterable that can be consumed once.
        """
        once = self._n_parts == 1 and self.generator_is_due() and not detached_only
        with torch.set_grad_enabled(once):
            made = [network(*part) for part in zip(*inputs, strict=True)]
        again = (network(*part) for part in zip(*inputs, strict=True))
        return [_detach(part) for part in made], made if once else again

    def descend(self, terms: Mapping[str, Tensor], loss: str) -> None:
        """Add the gradient of one of the terms, a scalar, averaged over the batches of the update."""
        self.terms = {name: term.detach() for name, term in terms.items()}
        self.manual_backward(terms[loss] / self._n_parts)

    def step(self, player: str) -> None:
        """Step the optimiser of a player."""
        optimizer = self._optimizer(player)
        self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)  # `optimizer.step`, uncounted
        optimizer.zero_grad()

    def rank_state(self) -> dict[str, Any]:
        return super().rank_state() | ({"waiting": list(self._waiting)} if self._waiting else {})

    def load_rank_state(self, state: dict[str, Any]) -> None:
        super().load_rank_state(state)
        self._waiting = [as_part(stored, self.device) for stored in state.get("waiting", [])]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["n_updates"] = self.n_updates

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        # A checkpoint of an earlier version counts batches alone.
        self.n_updates = checkpoint.get("n_updates", checkpoint.get("global_step", 0) // self.accumulate)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradient of a player that has a largest norm; the gradients are unscaled by now."""
        for name, largest in self.clip.items():
            if self._optimizer(name).optimizer is optimizer:
                parameters = [p for group in optimizer.param_groups for p in group["params"]]
                nn.utils.clip_grad_norm_(parameters, largest)

    def on_fit_start(self) -> None:
        """Refuse what can't work together, and warn of what rarely does."""
        super().on_fit_start()
        warn_of_critic(self.objective, self.players().get("discriminator", []))
        fused = any(optimizer.defaults.get("fused") for optimizer in self.trainer.optimizers)
        if self.clip and fused and self.trainer.precision == "16-mixed":
            raise UsageError(
                "model.clip with trainer.precision=16-mixed needs model.optimizer.fused=false: a fused optimiser takes "
                "the scale out of the gradients only after they would be clipped."
            )

    def is_last_accumulation(self) -> bool:
        """Whether the batch that goes on is the last one of an update."""
        n_done = self.trainer.fit_loop.epoch_loop.batch_idx + 1
        return n_done % self.accumulate == 0 or self.trainer.is_last_batch

    def _optimizer(self, player: str) -> LightningOptimizer:
        optimizers = self.optimizers()
        return dict(zip(self.players(), optimizers, strict=True))[player]


def as_part(stored: Any, device: torch.device) -> Part:
    """Images and labels as a checkpoint has them; one of an earlier version has images alone."""
    x, y = (stored, None) if isinstance(stored, Tensor) else stored
    return x.to(device), None if y is None else y.to(device)


def _detach(made: Any) -> Any:
    return tuple(part.detach() for part in made) if isinstance(made, tuple) else made.detach()
