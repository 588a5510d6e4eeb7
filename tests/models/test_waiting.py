"""No training step waits for a GPU.

Here the device is `meta`, whose tensors have no values: what would read one (`item`, `bool`, `cpu`), or has a shape
that depends on one (`nonzero`, a boolean mask as index), raises an error.
"""

from contextlib import nullcontext

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from settings import config, options
from small_training import trained
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from genlab.losses.likelihood import Bernoulli

META = "trainer.strategy={_target_: lightning.pytorch.strategies.SingleDeviceStrategy, device: meta}"
LABELS = ("model/condition=class", "model.condition.names=[0,1,2,3,4,5,6,7,8,9]", "model.condition_drop=0.5")
WAITING = {  # what makes a step wait, and why
    "model/quantizer=vq": "vector-quantize-pytorch asks whether k-means has been, and whether an entry is dead",
    "model/quantizer=residual": "its codebooks are of the same kind",
    "model/augment=ada": "p is a number of the program, and every fourth update of D steps it",
}
PARTS = {  # groups, and a model that has them
    "objective": "gan",
    "penalty@model.objective.penalties.extra": "gan",
    "augment": "gan",
    "likelihood": "vae",
    "quantizer": "vqvae",
}
COPY = torch.ops.aten.copy_.default
UNREADABLE = (RuntimeError, NotImplementedError)


class Waiting(Exception):
    """A copy to the device would wait until it has done all else."""


class Done(Exception):
    """What had to be seen has been."""


class NoWaiting(TorchDispatchMode, Callback):
    """Raises `Waiting` where an operation brings a tensor of the CPU to the device and does not leave it to the queue.

    A scalar goes along with what is asked of the device. (`torch.tensor(values, device=...)` waits, and is not seen.)
    As a callback it looks at all that happens from the end of the first batch to that of the fourth.
    """

    def __init__(self, looks=True):
        super().__init__()
        self.looks = looks

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if self.looks:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, made)) if isinstance(leaf, torch.Tensor)]
            is_mixed = any(t.is_meta for t in tensors) and any(t.device.type == "cpu" and t.ndim for t in tensors)
            is_queued = (kwargs or {}).get("non_blocking") or (func is COPY and args[2:] == (True,))
            if is_mixed and not is_queued:
                raise Waiting(func)
        return made

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.looks = True
        if batch_idx == 3:
            raise Done


def train_on_meta(name, *overrides):
    with pytest.MonkeyPatch.context() as patch, NoWaiting(looks=False) as mode:
        patch.setattr(CPUAccelerator, "setup_device", lambda *_: None)  # which refuses all but the CPU
        patch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # and so does this
        patch.setattr(SingleDeviceStrategy, "reduce", lambda *_, **__: torch.tensor(4))  # Lightning counts batches
        patch.setattr(SingleDeviceStrategy, "teardown", lambda _: None)  # would bring the weights back
        patch.setattr(Bernoulli, "check", lambda *_: None)  # of the first batch alone
        trained(name, META, "trainer.limit_val_batches=0", *overrides, callbacks=[mode], sgd=1e-3)


def cases():
    for name in options("model"):
        yield name, (("model/quantizer=fsq",) if "quantizer" in config(f"model={name}").model else ())
    for group, name in PARTS.items():
        for option in options(f"model/{group.partition('@')[0]}"):
            yield name, (f"{'+' * ('@' in group)}model/{group}={option}",)
    yield "gan", LABELS
    yield "vae", ("data.flip=true", "data.random_crop=20", "data.binarize=dynamic")


@pytest.mark.parametrize(("name", "overrides"), [*cases()], ids=str)
def test_no_step_waits_for_the_device(name, overrides):
    with pytest.raises(UNREADABLE if WAITING.keys() & set(overrides) else Done):
        train_on_meta(name, *overrides)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x[0].item(),
        lambda x: x.tolist(),
        lambda x: bool(x[0] > 0),
        lambda x: float(x[0]),
        lambda x: x.cpu(),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.masked_select(x > 0),
        lambda x: torch.ones(3).to(x),
        lambda x: x.copy_(torch.ones(3)),
        lambda x: x[torch.arange(2)],
    ],
)
def test_what_waits_is_seen(wait):
    with NoWaiting(), pytest.raises((Waiting, *UNREADABLE)):
        wait(torch.zeros(3, device="meta"))


def test_what_joins_the_queue_is_not_taken_for_waiting():
    with NoWaiting():
        x = torch.zeros(3, device="meta")
        x += torch.ones(3).to(x, non_blocking=True) + torch.tensor(2.0)
        x.copy_(torch.ones(3), non_blocking=True)
