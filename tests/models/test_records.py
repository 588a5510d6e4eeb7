"""What models count, log and keep, on scalar networks by hand."""

import math

import pytest
import torch
from scalar_models import Posterior, fitted, line, loader, made, trainer

from genlab.losses import Gaussian, NonSaturating
from genlab.models import AE, GAN, VAE

LINES = {"encoder": line(0.5), "decoder": line(1.5)}
PLAYERS = {"generator": line(0.5), "discriminator": line(0.25), "objective": NonSaturating()}


def metrics(model):
    return {name: value.item() for name, value in model.trainer.callback_metrics.items()}


def test_the_loss_of_a_step_and_the_images_so_far_are_logged_under_train():
    """x = 2: z = 1, x_hat = 1.5, so c = 1.5 + 2 * 0.5 * 1 and e = 0.5 + 2 * 0.5 * 1.5 * 2. Then 1 becomes c e."""
    ae = fitted(made(AE, [0.0], **LINES), [2.0], [1.0, -1.0], log_every_n_steps=1)
    assert metrics(ae) == {
        "train/loss": pytest.approx((2.5 * 3.5 - 1) ** 2, rel=1e-5),
        "train/images_seen": 3.0,
    }


class Noting(AE):
    """Notes the number of images in the second batch."""

    def training_step(self, batch, batch_idx):
        if batch_idx == 1:
            self.note({"n": torch.tensor(float(len(batch[0])))})
        return super().training_step(batch, batch_idx)


def test_notes_are_logged_with_the_step_that_they_are_of_by_their_own_names():
    logged = []

    class Watched(Noting):
        def on_train_batch_end(self, *args):
            super().on_train_batch_end(*args)
            logged.append((metrics(self).get("n"), dict(self._notes)))

    fitted(made(Watched, [0.0], **LINES), [2.0], [1.0, -1.0], log_every_n_steps=1)
    assert logged == [(None, {}), (2.0, {})]


def test_a_step_that_is_not_logged_leaves_nothing_to_a_later_one():
    """Of three the last is, as the run stops there."""
    ae = fitted(made(Noting, [0.0], **LINES), [2.0], [1.0, -1.0], [1.0], log_every_n_steps=10)
    assert metrics(ae).keys() == {"train/loss", "train/images_seen"}
    assert metrics(ae)["train/images_seen"] == ae.images_seen == 4


def test_validation_logs_the_mean_over_images_with_the_same_noise_every_time():
    """Batches of one and of two images weigh 1/3 and 2/3."""
    networks = {"encoder": lambda *_: Posterior(0.5, math.log(4.0)), "decoder": line(1.5), "likelihood": Gaussian(1.0)}
    vae = made(VAE, [0.0], **networks)
    batches = loader([2.0], [1.0, -1.0])
    judge = trainer(limit_val_batches=None, limit_test_batches=None)
    first, again = (judge.validate(vae, batches, verbose=False)[0] for _ in range(2))
    tested = judge.test(vae, batches, verbose=False)[0]
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        nll = [vae.losses(x, noise)["nll"].item() for x, _ in batches]
    assert first["val/nll"] == pytest.approx((nll[0] + 2 * nll[1]) / 3)
    assert again == first
    assert first.keys() == {"val/loss", "val/nll", "val/kl"}
    assert tested == {name.replace("val/", "test/"): value for name, value in first.items()}


def test_a_checkpoint_counts_images_and_updates_and_one_of_an_earlier_version_gives_its_updates_by_batches():
    gan = made(GAN, [0.0], accumulate=2, **PLAYERS)
    gan.images_seen, gan.n_updates = 7, 3
    checkpoint = {}
    gan.on_save_checkpoint(checkpoint)
    assert checkpoint == {"images_seen": 7, "n_updates": 3}
    for older, n_updates in (({"n_updates": 4, "global_step": 10}, 4), ({"global_step": 10}, 5), ({}, 0)):
        gan.on_load_checkpoint({"images_seen": 9} | older)
        assert (gan.images_seen, gan.n_updates) == (9, n_updates)


def test_what_a_process_keeps_is_its_noise_and_the_images_that_wait():
    gan, again = (made(GAN, [0.0], accumulate=2, **PLAYERS) for _ in range(2))
    gan.noise, again.noise = torch.Generator().manual_seed(3), torch.Generator().manual_seed(4)
    assert gan.rank_state().keys() == {"noise"}
    gan._waiting = [(torch.ones(1, 1, 1, 1), None)]
    again.load_rank_state(gan.rank_state())
    assert torch.equal(torch.rand(2, generator=gan.noise), torch.rand(2, generator=again.noise))
    assert again._waiting == [(torch.ones(1, 1, 1, 1), None)]
    again.load_rank_state({"noise": gan.noise.get_state()})
    assert again._waiting == []


def test_an_autoencoder_keeps_the_codes_of_its_epoch():
    ae, again = made(AE, [0.0], **LINES), made(AE, [0.0], **LINES)
    ae.noise = again.noise = torch.Generator()
    ae._epoch_codes.update(torch.tensor([[1.0], [3.0]]))
    again.load_rank_state(ae.rank_state())
    again.fit_prior()
    assert (again.code_mean.tolist(), again.code_cov.tolist()) == ([2.0], [[2.0]])
    again.on_train_epoch_start()
    again._epoch_codes.update(torch.tensor([[8.0]]))
    again.fit_prior()  # a single code has no variance
    assert (again.code_mean.tolist(), again.code_cov.tolist()) == ([2.0], [[2.0]])


def test_the_noise_of_training_comes_of_the_seed_and_the_rank():
    draws = []
    for seed, rank in ((0, 0), (0, 0), (0, 1), (1, 0)):
        ae = made(AE, [0.0], **LINES)
        torch.manual_seed(seed)
        ae.trainer = trainer()
        ae.trainer.strategy.global_rank = rank
        ae.on_fit_start()
        draws.append(torch.rand(1, generator=ae.noise).item())
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3
