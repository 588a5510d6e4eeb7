"""A recording of some steps of training: a trace for a viewer, and a table of what takes the time."""

import logging
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch.profilers import Profiler
from torch.profiler import ProfilerActivity, profile, record_function

from genlab.bounds import NonNegativeInt, PositiveInt
from genlab.files import warn_on_failure, write_text

log = logging.getLogger(__name__)

STEP = "run_training_batch"  # what Lightning 2.6.6 calls it; trainer/test_profile.py
MARK = "[part] "  # before the names of what is no operation of PyTorch's
TABLES = (  # what stands in them, and what of it
    ("parts, with all within them", True, "cpu_time_total", "device_time_total"),
    ("operations, without those within them", False, "self_cpu_time_total", "self_device_time_total"),
)


class Profile(Profiler):
    """Writes `trace.json`, which https://ui.perfetto.dev and chrome://tracing open, and `profile.txt`; prints its top.

    Recorded is all that happens from one step to the next: hooks of the model and of each callback, the loading of
    batches, and PyTorch's operations, on a GPU too. Recording makes steps slower, small ones by half: go by the shares.

    Args:
        dirpath: the run folder.
        skip: steps before the first one that is recorded: those warm up.
        n_steps: how many are recorded.
    """

    def __init__(self, dirpath: str, skip: NonNegativeInt = 20, n_steps: PositiveInt = 10) -> None:
        super().__init__()
        self.folder, self.skip, self.n_steps = Path(dirpath), skip, n_steps
        self.n_begun, self.began = 0, 0.0
        self._recorder: Any = None
        self._open: dict[str, Any] = {}

    def start(self, action_name: str) -> None:
        """Begin to record at one step and end at another; in between, note what Lightning is about to do."""
        if action_name == STEP:
            if self.n_begun == self.skip:
                self._recorder, self.began = profile(activities=_devices()), perf_counter()
                self._recorder.start()
            elif self.n_begun == self.skip + self.n_steps:
                self._write()
            self.n_begun += 1
        if self._recorder is not None:
            self._open[action_name] = record_function(MARK + action_name)
            self._open[action_name].__enter__()

    def stop(self, action_name: str) -> None:
        if part := self._open.pop(action_name, None):
            part.__exit__(None, None, None)

    def teardown(self, stage: str | None) -> None:
        """Write what there is, should training have ended before."""
        self._write()

    def _write(self) -> None:
        if self._recorder is None:
            return
        recorder, self._recorder = self._recorder, None
        for name in [*self._open][::-1]:
            self.stop(name)
        recorder.stop()
        n_steps = min(self.n_steps, self.n_begun - self.skip)
        head = f"{n_steps} steps of {1000 * (perf_counter() - self.began) / n_steps:.1f} ms each, as they are recorded"
        rank = f"_{self._local_rank}" if self._local_rank else ""
        averages = recorder.key_averages()
        with warn_on_failure("the profile"):
            recorder.export_chrome_trace(str(self.folder / f"trace{rank}.json"))
            write_text(self.folder / f"profile{rank}.txt", f"{head}\n{_tables(averages, n_steps, 50)}\n")
        log.info(
            "%s\n%s\n\nMore is in profile.txt and trace.json of the run folder.", head, _tables(averages, n_steps, 8)
        )


def _devices() -> list[ProfilerActivity]:
    """What there is to look at: asked for all, the recorder complains of a GPU that is not there."""
    return [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]


def _tables(averages: Any, n_steps: int, n_rows: int) -> str:
    """The costliest parts, and the costliest operations, by milliseconds a step."""
    lines = []
    for title, are_parts, cpu, gpu in TABLES:
        lines += ["", f"{'CPU ms':>8} {'GPU ms':>8} {'calls':>7}  a step: {title}"]
        found = [event for event in averages if event.key.startswith(MARK) == are_parts]
        found.sort(key=lambda event: max(getattr(event, cpu), getattr(event, gpu)), reverse=True)
        for event in found[:n_rows]:
            on_cpu, on_gpu = (getattr(event, time) / 1000 / n_steps for time in (cpu, gpu))  # of microseconds
            lines.append(f"{on_cpu:8.2f} {on_gpu:8.2f} {event.count / n_steps:7.1f}  {event.key.removeprefix(MARK)}")
    return "\n".join(lines)
