"""The norms of gradients, against PyTorch's own."""

import pytest
import torch
from lightning.pytorch import Callback
from small_training import trained
from torch import nn

from genlab.callbacks import Health
from genlab.callbacks.gradients import GradientNorms, fused_scale


def two_networks():
    """Networks a and b, of one weight each, with gradients (3, 4) and (5, 12)."""
    model = nn.Module()
    model.a, model.b, model.rest = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False), nn.ReLU()
    model.a.weight.grad, model.b.weight.grad = torch.tensor([[3.0, 4.0]]), torch.tensor([[5.0, 12.0]])
    return model


def test_each_network_has_the_norm_of_its_own_gradient():
    model, norms = two_networks(), GradientNorms()
    norms.note(model, torch.optim.SGD(model.parameters()))
    assert norms.close_batch() == {"a": 5.0, "b": 13.0}


def test_an_optimiser_s_networks_alone_are_measured():
    model, norms = two_networks(), GradientNorms()
    norms.note(model, torch.optim.SGD(model.b.parameters()))
    assert norms.close_batch() == {"b": 13.0}


def test_of_two_steps_of_a_network_at_a_batch_the_larger_norm_counts():
    model, norms = two_networks(), GradientNorms()
    optimizer = torch.optim.SGD(model.parameters())
    norms.note(model, optimizer)
    model.a.weight.grad, model.b.weight.grad = 2 * model.a.weight.grad, 0 * model.b.weight.grad
    norms.note(model, optimizer)
    assert norms.close_batch() == {"a": 10.0, "b": 13.0}
    assert norms.close_batch() == {}


def test_the_typical_norm_is_the_median_since_the_last_time():
    model, norms = two_networks(), GradientNorms()
    for factor in (1.0, 1.0, 1e9):  # one outlier
        model.a.weight.grad, model.b.weight.grad = factor * torch.tensor([[3.0, 4.0]]), None
        norms.note(model, torch.optim.SGD(model.parameters()))
        norms.close_batch()
    assert norms.typical() == {"a": 5.0}
    assert norms.typical() == {}


@pytest.mark.parametrize(("n_spoilt", "median"), [(1, 5.0), (2, float("inf"))])
def test_most_norms_must_be_numbers_for_the_typical_one_to_be_finite(n_spoilt, median):
    model, norms = two_networks(), GradientNorms()
    for n in range(3):
        model.a.weight.grad = torch.tensor([[3.0, 4.0]]) * (float("nan") if n < n_spoilt else 1.0)
        norms.note(model, torch.optim.SGD(model.a.parameters()))
        norms.close_batch()
    assert norms.typical() == {"a": median}


def test_the_scale_of_mixed_precision_is_taken_out_where_a_fused_optimiser_leaves_it_in():
    class HalfPrecision:
        class precision_plugin:  # as Lightning names it
            class scaler:
                get_scale = staticmethod(lambda: 1024.0)

    model = two_networks()
    fused, plain = (torch.optim.Adam(model.parameters(), fused=fused) for fused in (True, False))
    assert fused_scale(HalfPrecision(), fused) == 1024
    assert fused_scale(HalfPrecision(), plain) == 1
    norms = GradientNorms()
    norms.note(model, fused, 1024.0)
    assert norms.close_batch()["a"] == 5 / 1024


class ByHand(Callback):
    """Keeps the norms of the newest step of each optimiser."""

    def on_fit_start(self, trainer, pl_module):
        self.norms = {}

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        own = {p for group in optimizer.param_groups for p in group["params"]}
        for name, network in pl_module.named_children():
            if gradients := [p.grad.flatten() for p in network.parameters() if p in own and p.grad is not None]:
                norm = torch.cat(gradients).norm().item()
                self.norms.setdefault(name, {})[trainer.optimizers.index(optimizer)] = norm


@pytest.mark.parametrize(("name", "n_networks"), [("vae", 2), ("gan", 2), ("aae", 3), ("vaegan", 3)])
def test_the_logged_norms_are_those_of_the_newest_step(name, n_networks, tmp_path):
    """Clipping comes later: what is logged is what the loss gave."""
    by_hand = ByHand()
    clip = ("+model.clip.discriminator=1.0e-3",) if name != "vae" else ()
    every = ("trainer.log_every_n_steps=1",)
    _, trainer = trained(name, *every, *clip, callbacks=[Health(str(tmp_path)), by_hand])
    assert len(by_hand.norms) == n_networks
    for network, norms in by_hand.norms.items():
        logged = trainer.callback_metrics[f"health/grad_norm_{network}"].item()
        assert logged == pytest.approx(max(norms.values()), rel=1e-5)


def test_norms_are_measured_only_when_the_loggers_write(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(GradientNorms, "note", lambda self, model, *_: steps.append(model.global_step))
    trained("vae", "trainer.log_every_n_steps=3", callbacks=[Health(str(tmp_path))])
    assert steps == [2]  # of four batches, counted from 0
