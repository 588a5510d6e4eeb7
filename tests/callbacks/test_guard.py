"""A NaN loss stops training before the update."""

import pytest
import torch
from lightning.pytorch import Callback
from settings import TINY, config

from genlab.callbacks import Guard
from genlab.config.build import build
from genlab.errors import UsageError


class Spoil(Callback):
    """Makes one weight infinite before some batch."""

    def __init__(self, network: str, step: int) -> None:
        self.network, self.step = network, step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            with torch.no_grad():
                next(getattr(pl_module, self.network).parameters()).fill_(float("nan"))
            self.before = {name: p.clone() for name, p in pl_module.named_parameters()}


@pytest.mark.parametrize(
    ("model", "network", "term"),
    [("vae", "decoder", "nll"), ("gan", "discriminator", "d_loss"), ("ae", "encoder", "loss")],
)
def test_it_stops_before_the_update_names_the_term_and_keeps_the_batch(model, network, term, tmp_path):
    cfg = config(*TINY, f"model={model}")
    spoil, net = Spoil(network, 2), build(cfg.model)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = build(cfg.trainer, callbacks=[spoil, Guard(str(tmp_path))], **quiet)
    with pytest.raises(UsageError, match=rf"diverged at batch 2: .*{term}.* not finite"):
        trainer.fit(net, build(cfg.data))
    assert trainer.global_step == 2
    for name, parameter in net.named_parameters():
        assert torch.equal(parameter, spoil.before[name]) or parameter.isnan().any()
    kept = torch.load(tmp_path / "nonfinite_batch.pt", weights_only=True)
    assert kept["x"].shape == (16, 1, 28, 28)
    assert kept["y"].shape == (16,)


def test_a_finite_loss_passes(tmp_path):
    cfg = config(*TINY)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    build(cfg.trainer, callbacks=[Guard(str(tmp_path))], **quiet).fit(build(cfg.model), build(cfg.data))
    assert list(tmp_path.iterdir()) == []
