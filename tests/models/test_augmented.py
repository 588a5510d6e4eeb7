"""What D sees of augmented images: draws of its own in each step and each penalty."""

import pytest
import torch
from lightning.pytorch import Callback
from settings import config
from small_training import trained

from genlab.config.build import build
from genlab.errors import UsageError


class Draw(Callback):
    """Stands in for an augmentation: notes what it is asked to change, and the draw."""

    def __init__(self) -> None:
        self.seen: list[tuple[torch.Tensor, bool, float]] = []

    def on_fit_start(self, trainer, pl_module):
        pl_module.augment = self.augment

    def augment(self, images, generator=None):
        draw = torch.rand(1, generator=generator).item()
        self.seen.append((images.detach().clone(), images.requires_grad, draw))
        return images + draw


ONE = ("trainer.max_steps=1", "+trainer.limit_val_batches=0")


def test_the_step_of_g_draws_anew():
    draw = Draw()
    trained("gan", *ONE, callbacks=[draw])
    (real, *_), (fake, fake_moves, _), (again, again_moves, _) = draw.seen
    assert torch.equal(fake, again)
    assert not torch.equal(real, fake)
    assert (fake_moves, again_moves) == (False, True)
    assert len({number for *_, number in draw.seen}) == 3


def test_a_relativistic_g_draws_anew_for_real_images_too():
    draw = Draw()
    trained("gan", "model/objective=relativistic", *ONE, callbacks=[draw])
    assert len({number for *_, number in draw.seen}) == len(draw.seen) == 4
    assert torch.equal(draw.seen[0][0], draw.seen[2][0])


def test_penalties_take_the_gradient_in_images_before_they_are_changed():
    draw = Draw()
    trained("gan", "model/objective=r3gan", *ONE, callbacks=[draw])
    (real, *_), (fake, *_), (at_real, real_asked, _), (at_fake, fake_asked, _), *_ = draw.seen
    assert torch.equal(real, at_real)
    assert torch.equal(fake, at_fake)
    assert real_asked
    assert fake_asked
    assert len({number for *_, number in draw.seen}) == len(draw.seen) == 6


def test_ada_counts_the_logits_of_the_reals_of_each_step_of_d_from_the_boundary():
    ada = ("model/augment=ada", "model/objective=least_squares", "model.augment.every=9", "model.d_steps=2")
    model, _ = trained("gan", *ada)
    counts = model.rank_state()["augment"]
    assert counts["counts"][1] == 4 * 16  # four steps of D on 16 images each, no fakes, and not the two of G
    assert counts["n_updates"] == 4
    model.discriminator.forward = lambda x: x.new_full((len(x), 1), 0.4)  # below the half that reals are told by
    x, before = torch.zeros(8, 1, 16, 16), counts["counts"].clone()
    model.objective.discriminator(model._critic(None, x), x, x.clone())
    assert (model.controller.state_dict()["counts"] - before).tolist() == [-8.0, 8.0]


def test_ada_without_a_boundary_or_with_a_schedule_is_refused():
    with pytest.raises(UsageError, match=r"Wasserstein has none: type model.augment.target=null"):
        build(config("model=gan", "model/augment=ada", "model/objective=wasserstein").model)
    line = "{_target_: genlab.schedules.Linear, start: 0, end: 1, images: 9}"
    with pytest.raises(UsageError, match="both set the probability"):
        build(config("model=gan", "model/augment=ada", f"+model.schedules.augment={line}").model)
    build(config("model=gan", "model/augment=ada", "model/objective=wasserstein", "model.augment.target=null").model)
