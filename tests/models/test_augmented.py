"""What D sees of augmented images: draws of its own in each step and each penalty."""

import torch
from lightning.pytorch import Callback
from small_training import trained


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
