"""The alternating steps."""

import copy

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from settings import TINY, config

from genlab.config.build import build


def trained(*overrides: str, callbacks: list[Callback] | None = None):
    """Train the GAN of a configuration without any of its own callbacks."""
    cfg = config("model=gan", *TINY, *overrides)
    torch.manual_seed(0)
    model = build(cfg.model)
    trainer: Trainer = build(cfg.trainer, callbacks=callbacks, logger=False, enable_checkpointing=False)
    trainer.progress_bar_callback.disable()  # type: ignore[union-attr]
    trainer.fit(model, build(cfg.data))
    return model, trainer


class Record(Callback):
    """Keeps what each optimiser step changed and which weights had gradients."""

    def __init__(self) -> None:
        self.moved: list[set[str]] = []
        self.graded: list[set[str]] = []
        self._before: dict[str, torch.Tensor] = {}

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self._compare(pl_module)
        self.graded.append({name.split(".")[0] for name, p in pl_module.named_parameters() if p.requires_grad})

    def on_train_batch_end(self, trainer, pl_module, *_):
        self._compare(pl_module)

    def _compare(self, model):
        now = {name: p.detach().clone() for name, p in model.named_parameters()}
        if self._before:
            self.moved.append({n.split(".")[0] for n, p in now.items() if not torch.equal(p, self._before[n])})
        self._before = now


def test_a_step_of_d_moves_d_alone_and_a_step_of_g_moves_g_alone():
    record = Record()
    trained("trainer.max_steps=1", callbacks=[record])
    assert record.moved == [{"discriminator"}, {"generator"}]


def test_while_g_steps_the_weights_of_d_take_no_gradient():
    record = Record()
    trained("trainer.max_steps=1", callbacks=[record])
    assert record.graded == [{"discriminator", "generator"}, {"generator"}]


def test_the_gradient_of_the_d_step_never_reaches_g():
    reached = []

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            reached.append(any(p.grad is not None for p in pl_module.generator.parameters()))

    trained("trainer.max_steps=1", callbacks=[Watch()])
    assert reached == [False, True]


@pytest.mark.parametrize("max_steps", [1, 3, 6])
def test_global_step_and_max_steps_count_batches(max_steps):
    _, trainer = trained("trainer.max_epochs=5", f"trainer.max_steps={max_steps}")
    assert trainer.global_step == max_steps


def test_an_epoch_of_four_batches_is_four_steps():
    model, trainer = trained()
    assert trainer.global_step == 4
    assert model.images_seen == 64


def test_both_players_start_from_the_theorys_losses():
    cfg = config("model=gan")
    torch.manual_seed(0)
    losses = build(cfg.model).losses(torch.zeros(8, 1, 28, 28))
    assert losses["d_loss"].item() == pytest.approx(1.386, abs=0.1)  # log 4, D undecided
    assert losses["g_loss"].item() == pytest.approx(0.693, abs=0.1)  # log 2


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, _ = trained()
    weights = copy.deepcopy(first.state_dict())
    again, _ = trained()
    assert all(torch.equal(weights[name], value) for name, value in again.state_dict().items())
    other, _ = trained("data.seed=1")
    assert not all(torch.equal(weights[name], value) for name, value in other.state_dict().items())
