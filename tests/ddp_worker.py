"""One of two gloo processes: trains models for a few steps and keeps their weights. test_ddp.py starts it."""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from omegaconf import DictConfig
from settings import config, options
from torch.utils._python_dispatch import TorchDispatchMode

from genlab.callbacks import EMA
from genlab.config.build import build
from genlab.distributed import leave_group_at_exit

STEPS = 3
SPATIAL = [text for role in ("encoder", "decoder") for text in (f"model/{role}=spatial", f"model.{role}.width=4")]
MAPS = ["model=vae", *SPATIAL, "model.encoder.gradient_checkpointing=true", "model.latent_shape=[2,4,4]"]
LABELS = ["model=gan", "model/condition=class", "model.condition.names=[0,1,2,3,4,5,6,7,8,9]"]
MORE = {"maps": MAPS, "labels": LABELS}  # a VAE with codes of maps, and a GAN that is told classes
NAMES = [*options("model"), *MORE]
# With noise of their own: one that Lightning steps, one of players with batch normalisation, those with codebooks.
OWN = ["vae", "gan", "drifting", "vqvae", "vqgan", "labels"]
RUNS = [*((name, True) for name in NAMES), *((name, False) for name in OWN)]  # models, and whether the noise is joint


class Reductions(TorchDispatchMode, Callback):
    """The bytes of each sum over all processes of a training step: those of the newest, in their order."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.c10d.allreduce_.default:
            self.sizes.append(sum(part.nbytes for part in args[0]))
        return func(*args, **(kwargs or {}))

    def on_train_batch_start(self, *_: Any) -> None:
        self.sizes: list[int] = []
        self.__enter__()

    def on_train_batch_end(self, *_: Any) -> None:
        self.__exit__(None, None, None)


class JointNoise(Callback):
    """Makes every process draw the noise of the joint batch and take its own rows."""

    def on_train_start(self, trainer, pl_module):
        pl_module.noise.manual_seed(123)
        rank, world_size, randn = trainer.global_rank, trainer.world_size, torch.randn

        def rows_of_joint_noise(*shape: Any, generator: Any = None) -> torch.Tensor:
            n, *rest = shape[0] if len(shape) == 1 else shape
            return randn(n * world_size, *rest, generator=generator)[rank * n : (rank + 1) * n]

        self.randn, torch.randn = randn, rows_of_joint_noise  # type: ignore[assignment]

    def on_train_end(self, trainer, pl_module):
        torch.randn = self.randn


def state_after_training(model_name: str, trainer_name: str, joint_noise: bool) -> dict[str, torch.Tensor]:
    """Train on 16 images a step over all processes, with SGD, so that equal gradients give equal weights.

    With joint noise the networks have no batch statistics, as these differ between two halves and the whole batch, and
    a codebook draws nothing.
    """
    overrides = list(MORE.get(model_name, [f"model={model_name}"]))
    overrides += [f"trainer={trainer_name}", "data.limit=64", "data.size=16", f"trainer.max_steps={STEPS}"]
    overrides += ["data.batch_size=8"] if trainer_name == "ddp_cpu" else ["data.batch_size=16"]
    cfg = config(*overrides)
    for node in cfg.model.values():
        if joint_noise and isinstance(node, DictConfig) and "norm" in node:
            node.norm = None
    if joint_noise and "quantizer" in cfg.model:  # what it draws of vectors, each process draws of its own
        cfg.model.quantizer.update(kmeans_init=False, expire=0.0)
    if "perceptual" in cfg.model and not joint_noise:
        cfg.model.perceptual_weight = 0.0  # it takes most of the time
    lr = 1e-6 if "perceptual" in cfg.model else 1e-3  # sums over pixels have gradients that are far larger
    cfg.model.optimizer = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": lr}
    torch.manual_seed(0)
    model, ema = build(cfg.model), EMA(half_life=100, ramp_up=1.0, every_n_steps=1)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    reductions = Reductions()
    trainer = build(cfg.trainer, callbacks=[reductions, ema, *([JointNoise()] if joint_noise else [])], **quiet)
    trainer.fit(model, build(cfg.data))
    assert ema.average is not None
    weights = [[p for group in optimizer.param_groups for p in group["params"]] for optimizer in trainer.optimizers]
    return {
        "bytes averaged": torch.tensor(reductions.sizes),
        "bytes of players": torch.tensor([sum(p.nbytes for p in own) for own in weights]),
        **{f"raw {name}": value.detach() for name, value in model.named_parameters()},
        **{f"averaged {name}": value for name, value in ema.average.module.state_dict().items()},
        "z of this process": torch.randn(2, 3, generator=model.noise),
    }


if __name__ == "__main__":
    leave_group_at_exit()
    folder, *names = sys.argv[1:]
    states = {run: state_after_training(run[0], "ddp_cpu", run[1]) for run in RUNS if run[0] in names}
    torch.save(states, Path(folder) / f"rank{os.environ['RANK']}.pt")
