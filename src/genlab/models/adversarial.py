"""What models with an adversary share: players that step in turn, by hand."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from genlab.errors import UsageError, positive, unknown, whole_number
from genlab.losses.objective import Objective, as_objective
from genlab.models.base import ImageModel
from genlab.protocols import AdversarialLoss

log = logging.getLogger(__name__)


class AdversarialModel(ImageModel):
    """A model whose `training_step` steps the optimisers of several players in turn.

    `global_step` counts batches, and with it `trainer.max_steps` and step-based checkpoints. (Lightning counts each
    step of each optimiser.) Clipping, accumulation and schedules work here as the Trainer's own do elsewhere.

    Args:
        image_shape, latent_dim, optimizer, scheduler, compile, channels_last: see `ImageModel`; each player has an
            optimiser and a schedule of its own.
        objective: the adversarial loss, with its penalties.
        d_steps: batches of which only the last one moves the other players; D moves at each.
        accumulate: batches whose gradients are averaged before a step.
        learning_rates: of players that differ from the optimiser's own, by the player's name.
        clip: largest norm of the gradient of a player, by its name.

    Raises:
        UsageError: for an impossible value or an unknown player.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: int,
        objective: Objective | AdversarialLoss,
        d_steps: int = 1,
        accumulate: int = 1,
        learning_rates: Mapping[str, float] | None = None,
        clip: Mapping[str, float] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **common)
        self.automatic_optimization = False
        self.objective = as_objective(objective)
        self.d_steps = whole_number("model.d_steps", d_steps)
        self.accumulate = whole_number("model.accumulate", accumulate)
        self.learning_rates = {k: positive(f"model.learning_rates.{k}", v) for k, v in (learning_rates or {}).items()}
        self.clip = {k: positive(f"model.clip.{k}", v) for k, v in (clip or {}).items()}

    def players(self) -> Mapping[str, list[nn.Module]]:
        """The networks that each player moves, by the player's name."""
        raise NotImplementedError

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

    @contextmanager
    def playing(self, player: str) -> Iterator[None]:
        """Within it only the weights of this player take gradients: none is computed that nobody uses."""
        with self.toggled_optimizer(self._optimizer(player)):
            yield

    def judge(self, critic: nn.Module, real: Any, fake: Any) -> dict[str, Tensor]:
        """What D minimises, with its penalties: `d_loss` and each penalty. Tensors, or tuples of what D takes.

        Where there are more fakes than reals, penalties look at the last ones, as many as there are reals.
        """
        reals, fakes = (part if isinstance(part, tuple) else (part,) for part in (real, fake))
        real_logits, fake_logits = critic(*reals), critic(*fakes)
        logits = paired(real_logits, fake_logits), fake_logits
        uncompiled = critic.forward  # penalties take second derivatives
        if isinstance(fake, Tensor):
            fake = fake[-len(real) :]
        return self.objective.discriminator_terms(uncompiled, *logits, real, fake, self.global_step, self.noise)

    def deceive(self, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """What the other side minimises on its fakes, a scalar."""
        fake_logits = critic(fake)
        real_logits = paired(critic(real), fake_logits) if self.objective.uses_real else None
        return self.objective.generator_loss(fake_logits, real_logits)

    def stake(self, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        """Both players' losses without penalties and D's accuracies, from logits (B, 1).

        There are as many fake ones as real ones, or a multiple of them.
        """
        reals, fakes = paired(real_logits.float(), fake_logits.float()), fake_logits.float()
        return {
            "d_loss": self.objective.loss.discriminator(reals, fakes),
            "g_loss": self.objective.generator_loss(fakes, reals),
            **self.objective.accuracies(reals, fakes),
        }

    def update(self, terms: Mapping[str, Tensor], loss: str, player: str) -> None:
        """Take one step of a player down the gradient of one of the terms, a scalar."""
        self.terms = {name: term.detach() for name, term in terms.items()}
        self.manual_backward(terms[loss] / self.accumulate)
        if self.closes_update():
            optimizer = self._optimizer(player)
            self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)  # `optimizer.step`, uncounted
            optimizer.zero_grad()

    def others_are_due(self, batch_idx: int) -> bool:
        """Whether the players besides D move at this batch."""
        return (batch_idx // self.accumulate + 1) % self.d_steps == 0

    def close_batch(self, terms: Mapping[str, Tensor]) -> None:
        """Count the batch, step the schedules, log."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        progress.increment_ready()
        progress.increment_completed()
        for schedule in self.trainer.lr_scheduler_configs:
            schedule.scheduler.step()  # type: ignore[call-arg]  # none of them waits for a metric
        self.log_training(terms)

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

    def warn_of_batch_norm(self, critic: nn.Module) -> None:
        """Say so if a penalty on single gradients meets a critic that mixes the images of a batch."""
        for name, penalty in self.objective.penalties.items():
            if getattr(penalty, "forbids_batch_norm", False) and any(
                isinstance(m, _BatchNorm) for m in critic.modules()
            ):
                log.warning(
                    "model.objective.penalties.%s penalises the gradient at each image, and the discriminator has "
                    "batch normalisation, which mixes them: the paper forbids it. Choose another norm for it.",
                    name,
                )

    def closes_update(self) -> bool:
        """Whether no gradient of the batch that goes on waits for those of more batches."""
        n_done = self.trainer.fit_loop.epoch_loop.batch_idx + 1
        return n_done % self.accumulate == 0 or self.trainer.is_last_batch

    def _optimizer(self, player: str) -> LightningOptimizer:
        optimizers = self.optimizers()
        return dict(zip(self.players(), optimizers, strict=True))[player]


def paired(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Repeat the real logits (B, 1) until there are as many as fake ones: a loss may compare them one by one."""
    return real_logits.repeat(len(fake_logits) // len(real_logits), 1)
