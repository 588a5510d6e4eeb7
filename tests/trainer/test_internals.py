"""What steps are spared of Lightning's work."""

import os
from unittest.mock import Mock

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import LambdaCallback
from scalar_models import line, loader, made, trainer

from genlab.commands.machine import know_there_is_no_gpu
from genlab.models import AE
from genlab.trainer.internals import OF_A_STEP, pass_over_idle_hooks


class Counts(Callback):
    """Has something to do at the end of a batch."""

    n = 0

    def on_train_batch_end(self, *_: object) -> None:
        self.n += 1


def test_callbacks_are_called_where_they_have_something_to_do_and_only_there():
    counts, idle, told = Counts(), Callback(), Mock()
    fit = trainer(callbacks=[counts, idle, LambdaCallback(on_train_batch_start=told)])
    pass_over_idle_hooks(fit.callbacks)
    model = made(AE, [0.0], encoder=line(1.0), decoder=line(1.0))
    fit.fit(model, loader([1.0]), loader([1.0]))
    assert (counts.n, told.call_count) == (1, 1)
    assert [getattr(idle, name) for name in OF_A_STEP] == [None] * len(OF_A_STEP)
    assert counts.on_train_batch_start is None


@pytest.mark.parametrize("there_is_one", [True, False])
def test_a_machine_without_a_gpu_is_not_searched_for_one_at_every_step(there_is_one, monkeypatch):
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there_is_one)
    know_there_is_no_gpu()
    assert ("PYTORCH_NVML_BASED_CUDA_CHECK" in os.environ) == there_is_one
