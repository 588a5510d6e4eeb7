"""One of two gloo processes, of which the second meets a batch of NaN. test_guard_skips.py starts it."""

import os
import sys
from pathlib import Path

import torch
from poison import Poison, States
from small_training import trained

from genlab.callbacks import Guard
from genlab.distributed import leave_group_at_exit

if __name__ == "__main__":
    leave_group_at_exit()
    folder, rank = Path(sys.argv[1]), os.environ["RANK"]
    for name in ("gan", "vae"):
        states, guard = States(), Guard(str(folder / name), on_nonfinite="skip")
        model, _ = trained(name, "trainer=ddp_cpu", "data.batch_size=8", callbacks=[states, Poison(1, rank=1), guard])
        result = {
            "unchanged": states.same(1, 2),
            "moved": not states.same(2, 3, "weights"),
            "n_skipped": guard.n_skipped,
            "weights": dict(model.named_parameters()),
        }
        torch.save(result, folder / f"{name}{rank}.pt")
