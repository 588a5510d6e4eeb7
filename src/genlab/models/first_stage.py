"""What the first stages of latent models share: an autoencoder that is to look right, with an adversary on patches."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.distributed import mean_over_processes
from genlab.errors import UsageError
from genlab.models.adversarial import AdversarialModel, Part, Terms
from genlab.models.autoencoding import EncoderDecoder
from genlab.networks.conditional import Conditional, critic
from genlab.protocols import ImageDistance
from genlab.trainer.internals import keep_compiled_graphs

LARGEST_WEIGHT = 1e4  # of the adversary, as in the sources' code
EPSILON = 1e-4  # beside the norm that is divided by, as there


class FirstStage(EncoderDecoder, AdversarialModel):
    """L1 + perceptual distance, a penalty on the code, and a discriminator whose weight is adapted.

    The discriminator plays from batch `d_start` on, after a quarter of the run where that is None; before, it neither
    learns nor counts. Batches are counted, and not the optimisers' steps, of which there are two a batch.

    A subclass gives networks and weights of the losses as attributes, `autoencode`, and what `ImageModel` asks for.
    """

    discriminator: nn.Module
    perceptual: ImageDistance
    perceptual_weight: float
    adversarial_weight: float
    d_start: int | None
    first_batch_of_d: int
    trained_on_before: tuple[str, ...] | None = None  # in the checkpoint

    @abstractmethod
    def autoencode(self, x: Tensor, generator: Generator | None, y: Tensor | None) -> tuple[Tensor, Terms]:
        """Reconstructions of images, both (B, C, H, W); and the penalty on codes, `code_loss`, with other terms."""

    def players(self) -> Mapping[str, list[nn.Module]]:
        """The autoencoder, and D."""
        autoencoder = [*self.inference_networks().values()]
        return {"autoencoder": autoencoder, "discriminator": [self.discriminator]}

    def adversarial_step(self, parts: Sequence[Part]) -> Terms:
        """One step of the autoencoder, then one of D on the same reconstructions."""
        terms, fakes, d_plays = Terms(), [], self.trainer.global_step >= self.first_batch_of_d
        if self.generator_is_due() or not d_plays:
            with self.only("autoencoder"):
                for x, y in parts:
                    x_hat, terms = self.reconstruction_terms(x, self.noise, y)
                    if d_plays:
                        terms["g_loss"] = self.objective.generator(critic(self.discriminator, y), x, x_hat)
                        terms["g_weight"] = self.adapted_weight(terms["nll"], terms["g_loss"])
                        terms["loss"] = terms["loss"] + terms["g_weight"] * terms["g_loss"]
                    self.descend(terms, "loss")
                    fakes.append(x_hat.detach())
                self.step("autoencoder")
        else:
            with torch.no_grad():
                fakes = [self.reconstruct(x, y) for x, y in parts]
        if d_plays:
            for (x, y), fake in zip(parts, fakes, strict=True):
                d = critic(self.discriminator, y)
                terms |= self.objective.discriminator(d, x, fake, self.n_updates, self.noise)
                self.descend(terms, "d_loss")
            self.step("discriminator")
        return terms

    def reconstruction_terms(
        self, x: Tensor, generator: Generator | None, y: Tensor | None = None
    ) -> tuple[Tensor, Terms]:
        """Reconstructions of images, both (B, C, H, W), and the autoencoder's terms without D, scalars.

        `nll` = |x - x_hat| + perceptual_weight d(x, x_hat), summed over pixels, for each of which the perceptual
        distance counts, as in Rombach et al. 2022; `loss` adds the penalty on the code.
        """
        x_hat, terms = self.autoencode(x, generator, y)
        terms["l1"] = (x - x_hat).abs().flatten(1).sum(1).mean()
        terms["nll"] = terms["l1"]
        if self.perceptual_weight:  # the network takes as long as all the rest
            terms["perceptual"] = self.perceptual(x, x_hat).mean()
            terms["nll"] = terms["l1"] + self.perceptual_weight * x[0].numel() * terms["perceptual"]
        terms["loss"] = terms["nll"] + terms["code_loss"]
        return x_hat, terms

    def adapted_weight(self, nll: Tensor, g_loss: Tensor) -> Tensor:
        """The weight of D: that of its gradient at the decoder's last layer, in norm, beside that of `nll`, scalars.

        adversarial_weight |grad nll| / (|grad g_loss| + 1e-4) (Esser et al. 2021, eq. 7), at most 1e4 times the first;
        of gradients that are averaged over processes, as those of the step are.
        """
        layer = last_layer(self.decoder)
        norms = [
            mean_over_processes(torch.autograd.grad(loss, layer, retain_graph=True)[0].float()).norm()
            for loss in (nll, g_loss)
        ]
        return self.adversarial_weight * (norms[0] / (norms[1] + EPSILON)).clamp_max(LARGEST_WEIGHT).detach()

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """The terms for images (B, C, H, W), and both players' losses on them and their reconstructions, scalars."""
        x_hat, terms = self.reconstruction_terms(x, generator, y)
        d = critic(self.discriminator, y)
        return {**terms, **self.objective.evaluate(d(x), d(x_hat))}

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The name of the network whose features were descended, and which should not score the model."""
        return self._descends() if self.trained_on_before is None else self.trained_on_before

    def _descends(self) -> tuple[str, ...]:
        return (self.perceptual.name,) if self.perceptual_weight else ()

    def on_train_start(self) -> None:
        """See when D begins; refuse one that would never play, and to go on with another perceptual distance."""
        super().on_train_start()
        keep_compiled_graphs()  # from which `adapted_weight` goes back twice, before the step does
        if (before := self.trained_on) != (now := self._descends()):  # `best` may be another one on another machine
            names = [part[0] if part else "no network" for part in (before, now)]
            raise UsageError(
                f"The run was trained on {names[0]}, and here {names[1]} would take its place: see "
                "model.perceptual.network."
            )
        n_batches = self.trainer.estimated_stepping_batches  # infinite where time alone ends the run
        in_time = int(n_batches // 4) if n_batches < float("inf") else 0
        self.first_batch_of_d = in_time if self.d_start is None else self.d_start
        if self.first_batch_of_d >= n_batches:
            raise UsageError(
                f"model.d_start={self.d_start} is beyond the {n_batches} batches of this run, so D would never play: "
                f"type model.d_start={in_time}, or train longer."
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["trained_on"] = list(self.trained_on)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.trained_on_before = tuple(checkpoint.get("trained_on", self._descends()))


def last_layer(network: nn.Module) -> Tensor:
    """The weight of the layer that makes the image."""
    own = network.network if isinstance(network, Conditional) else network  # whose embedding is registered last
    return [weight for weight in own.parameters() if weight.ndim > 1][-1]
