"""A few batches of training, for any model."""

import torch
from hydra.utils import get_class
from lightning.pytorch import Callback
from settings import config, options

from genlab.config.build import build
from genlab.models.adversarial import AdversarialModel

CLASSES = {name: get_class(config(f"model={name}").model._target_) for name in options("model")}
ADVERSARIAL = [name for name, kind in CLASSES.items() if issubclass(kind, AdversarialModel)]
SMALL = ("trainer=cpu", "data.limit=64", "data.batch_size=16", "trainer.max_epochs=1", "data.size=16")


def trained(name: str, *overrides: str, callbacks: list[Callback] | None = None, sgd: float | None = None):
    """Train a model of a configuration for one epoch of four batches, with these callbacks alone.

    The D of a first stage plays at once, and its perceptual network, which takes most of the time, is left out.
    """
    quick = ["model.d_start=0", "model.perceptual_weight=0"] if "d_start" in config(f"model={name}").model else []
    cfg = config(f"model={name}", *SMALL, *quick, *overrides)
    if sgd is not None:
        cfg.model.optimizer = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": sgd}
    torch.manual_seed(0)
    model = build(cfg.model)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = build(cfg.trainer, callbacks=callbacks or [], **quiet)
    trainer.fit(model, build(cfg.data))
    return model, trainer
