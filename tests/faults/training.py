"""A real training process into which faults are injected."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

# isort: split
from resuming import rows, saved  # noqa: E402

INTERVAL = 7  # steps between two checkpoints, besides those at the ends of epochs
PATIENCE = 180.0  # seconds for anything to happen

# 20 epochs of 16 steps, with all that counts something, and without what takes time.
COMMON = (
    *("data.limit=512", "data.batch_size=32", "data.size=16", "model.latent_dim=4"),
    *("trainer=cpu", "trainer.max_epochs=20", "trainer.log_every_n_steps=1", "trainer.check_val_every_n_epoch=3"),
    *("callbacks=without_encoder", *(f"~callbacks.{name}" for name in ("frechet", "samples", "curves", "progress"))),
    f"callbacks.checkpoint.every_n_steps={INTERVAL}",
    *("+callbacks.saboteur._target_=saboteur.Saboteur", "+callbacks.saboteur.order=${paths.run_dir}/order"),
)
STEPS = 320

SETTINGS: dict[str, tuple[str, ...]] = {
    "vae": ("model=vae",),
    "gan": ("model=gan", "data=folder", "data.root={pictures}", "data.channels=1", "paths.data_dir={data}"),
    "vaegan": ("model=vaegan",),
    "ddp": ("model=gan", "trainer=ddp_cpu", "data.batch_size=16"),
    "workers": ("model=vae", "data.num_workers=2"),
}


def overrides(setting: str, folder: Path) -> tuple[str, ...]:
    """What a command of a setting says. Each run has its own data, so that it can be damaged."""
    places = {"pictures": str(folder.parent / "pictures"), "data": f"{folder}_data"}
    return tuple(override.format(**places) for override in SETTINGS[setting])


def put_pictures(folder: Path) -> None:
    """Write digits as files."""
    from PIL import Image

    from genlab.data import Digits

    folder.mkdir()
    for number, image in enumerate(Digits()(28, 1, 900)["train"].images[:]):
        Image.fromarray(image[0].numpy()).save(folder / f"{number:04d}.png")


class Broken(Exception):
    """A run that has not survived."""


class Training:
    """A run in a folder, and the process that goes on with it.

    Args:
        folder: of the run.
        overrides: what its command says, besides `COMMON`.
    """

    def __init__(self, folder: Path, overrides: tuple[str, ...]) -> None:
        self.folder, self.log = folder, folder.with_suffix(".log")
        script = str(ROOT / "src" / "train.py")
        self.command = [sys.executable, script, *COMMON, f"hydra.run.dir={folder}", "resume=auto", *overrides]
        self.process: Any = None
        self.next_console: Path | None = None  # where the next process prints, and it alone
        self.next_environment: dict[str, str] = {}  # what it finds there, besides
        self._log_start = 0  # of what the process writes into train.log
        self._is_new = True  # there was no checkpoint when it started

    def start(self) -> None:
        """Start the command in a group of processes of its own; what it prints goes into a log."""
        self._is_new = not any(self.folder.glob("checkpoints/*.ckpt"))
        log = self.folder / "train.log"
        self._log_start = log.stat().st_size if log.is_file() else 0
        paths = os.pathsep.join([str(ROOT / "src"), str(Path(__file__).with_name("sabotage"))])
        with (self.next_console or self.log).open("a") as console:
            self.process = subprocess.Popen(
                self.command,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths} | self.next_environment,
                start_new_session=True,
            )
        self.next_console, self.next_environment = None, {}

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self.process is not None and self.process.poll() is None

    @property
    def began(self) -> int | None:
        """The step from which the process has gone on, 0 where it has begun anew; None before it trains."""
        log = self.folder / "train.log"
        text = log.read_bytes()[self._log_start :].decode(errors="replace") if log.is_file() else ""
        found = re.search(r"Resumed after step (\d+)", text)
        is_anew = "run folder" in text and (self._is_new or "written no other yet" in text)
        return int(found[1]) if found else 0 if is_anew else None

    def n_steps(self) -> int:
        """Steps that metrics.csv knows."""
        try:
            return 1 + max((int(row["step"]) for row in rows(self.folder)), default=-1)
        except (OSError, KeyError, ValueError, TypeError):  # it is being written, or not there yet
            return 0

    def waits_until(self, condition: Any, what: str) -> None:
        """Wait while the process runs; it is killed if nothing comes of it.

        Raises:
            Broken: if it ends before, or if it takes too long.
        """
        end = monotonic() + PATIENCE
        while not condition():
            if not self.is_running:
                raise Broken(f"it ended with {self.process.returncode} before {what}")
            if monotonic() > end:
                self.kill_all()
                raise Broken(f"{PATIENCE:.0f} seconds have passed without {what}")
            sleep(0.005)

    def trains_until(self, step: int) -> None:
        """Wait until the process has trained itself, and up to some step."""
        self.waits_until(lambda: self.began is not None and self.n_steps() >= max(step, self.began + 1), f"step {step}")

    def writes_checkpoint(self) -> None:
        """Wait for the next checkpoint."""
        file = self.folder / "checkpoints" / "last.ckpt"
        before = file.stat().st_mtime_ns if file.is_file() else 0
        self.waits_until(lambda: file.is_file() and file.stat().st_mtime_ns > before, "another checkpoint")

    def ends(self, *codes: int) -> None:
        """Wait for the process to end.

        Raises:
            Broken: if it ends with another exit code, or not at all.
        """
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise Broken("it did not end") from None
        if code not in codes:
            raise Broken(f"it ended with {code} and not with {' or '.join(map(str, codes))}")

    def waits_for_all(self) -> None:
        """Wait until nobody of the group is left.

        Raises:
            Broken: if somebody lives on.
        """
        end = monotonic() + PATIENCE
        with suppress(ProcessLookupError):
            while monotonic() < end:
                os.killpg(self.process.pid, 0)
                sleep(0.05)
            self.kill_all()
            raise Broken("a process of the group has outlived the others")

    def kill_all(self) -> None:
        """Kill the group, if there is one left."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def checkpointed(self) -> int:
        """The step of `last.ckpt`."""
        return saved(self.folder)["global_step"]
