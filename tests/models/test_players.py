"""What each player of an adversarial model can be given: learning rates, schedules, clipping, accumulation."""

import pytest
import torch
from lightning.pytorch import Callback
from small_training import trained

from genlab.errors import UsageError


def test_an_accumulated_step_is_that_of_the_joint_batch():
    """Of D alone, with fakes that are all the same, as half a batch draws half the noise."""
    few = ("data.limit=16", "+model.learning_rates.generator=1.0e-12", "model.generator.norm=null")

    class SameNoise(Callback):
        def on_train_start(self, trainer, pl_module):
            pl_module.prior = lambda n, generator=None: torch.ones(n, pl_module.latent_dim)

    joint, _ = trained("gan", *few, "data.batch_size=16", callbacks=[SameNoise()], sgd=0.1)
    halves, _ = trained("gan", *few, "data.batch_size=8", "model.accumulate=2", callbacks=[SameNoise()], sgd=0.1)
    for one, other in zip(joint.discriminator.parameters(), halves.discriminator.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_players_have_learning_rates_of_their_own():
    model, _ = trained("gan", "+model.learning_rates.discriminator=4.0e-4")
    rates = [optimizer.param_groups[0]["lr"] for optimizer in model.optimizers()]
    assert rates == [4e-4, 1e-3]


def test_schedules_step_at_every_batch():
    schedule = "{_target_: torch.optim.lr_scheduler.ExponentialLR, _partial_: true, gamma: 0.5}"
    for name, n_optimizers in (("gan", 2), ("vae", 1)):
        _, trainer = trained(name, f"model.scheduler={schedule}")
        rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
        assert rates == [pytest.approx(1e-3 / 2**4)] * n_optimizers


def test_the_gradient_of_a_player_is_clipped_to_its_largest_norm(monkeypatch):
    norms = []
    zero_grad = torch.optim.Adam.zero_grad

    def after_a_step(self, *args):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(torch.stack([gradient.norm() for gradient in gradients]).norm().item())
        zero_grad(self, *args)

    monkeypatch.setattr(torch.optim.Adam, "zero_grad", after_a_step)
    trained("gan", "+model.clip.discriminator=1.0e-3")
    assert len(norms) == 8
    assert max(norms[::2]) <= 1.001e-3  # D's
    assert min(norms[1::2]) > 1e-3


def test_players_have_arguments_of_the_optimiser_of_their_own():
    model, _ = trained("gan", "+model.optimizers.discriminator={weight_decay: 0.01, betas: [0.3, 0.9]}")
    d, g = (wrapped.optimizer.param_groups[0] for wrapped in model.optimizers())
    assert (d["weight_decay"], *d["betas"]) == (0.01, 0.3, 0.9)
    assert (g["weight_decay"], *g["betas"]) == (0, 0.5, 0.999)


@pytest.mark.parametrize(("key", "value"), [("learning_rates", 1.0), ("optimizers", "{lr: 1.0}"), ("clip", 1.0)])
def test_an_unknown_player_is_refused_with_those_that_there_are(key, value):
    with pytest.raises(UsageError, match=rf"player in model\.{key} 'critic'.*discriminator, generator"):
        trained("gan", f"+model.{key}.critic={value}")
