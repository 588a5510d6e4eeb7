"""One of two gloo processes: trains, is stopped and resumes. commands/test_resume.py starts it."""

import json
import os
import signal
import sys
from pathlib import Path

from resuming import SMALL, copied
from settings import config

from genlab.commands.train import train
from genlab.distributed import gathered
from genlab.models.base import ImageModel

RANK = int(os.environ["RANK"])
STOP_AT = 6
TWO = (*SMALL, "trainer=ddp_cpu", "data.batch_size=8", "trainer.max_epochs=2", "trainer.log_every_n_steps=1")


def resume(run: Path) -> None:
    train(config(f"resume={run}", run_dir="unused"), [])
    gathered(None)  # the first process writes on for a while


def stopped(run: Path, model: str) -> None:
    """Have the second process alone get a signal, in the middle of a step."""
    ended, counted = ImageModel.on_train_batch_start, []

    def noted(self, batch, batch_idx):
        counted.append(self.global_step + 1)
        if RANK == 1 and counted[-1] == STOP_AT:
            os.kill(os.getpid(), signal.SIGTERM)
        return ended(self, batch, batch_idx)

    ImageModel.on_train_batch_start = noted  # type: ignore[method-assign]
    code: object = None
    try:
        train(config(*TWO, f"model={model}", "callbacks.checkpoint.every_n_steps=null", run_dir=run))
    except SystemExit as error:
        code = error.code
    ImageModel.on_train_batch_start = ended  # type: ignore[method-assign]
    (run.parent / f"left{RANK}.json").write_text(json.dumps({"step": counted[-1], "code": code}))
    gathered(None)


if __name__ == "__main__":
    for name in ("gan", "vae"):
        folder = Path(sys.argv[1]) / name
        train(config(*TWO, f"model={name}", run_dir=folder / "whole"))
        gathered(None)
        for what, step in (("end of an epoch", 4), ("middle of an epoch", 6)):
            if RANK == 0:
                copied(folder / "whole", folder / what, step)
            gathered(None)
            resume(folder / what)
        stopped(folder / "signal to the second process", name)
        resume(folder / "signal to the second process")
