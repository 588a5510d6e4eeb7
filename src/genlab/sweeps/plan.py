"""The runs of a batch: from overrides to folders, configurations and commands."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from genlab.command_line import quoted
from genlab.config.record import as_typed
from genlab.run.identity import fingerprint, telling
from genlab.run.summary import read_outcome

NOT_PASSED_ON = ("hydra.sweep", "hydra/sweep", "hydra.launcher", "hydra/launcher", "hydra.mode", "hydra.run.")


class DryRun(NamedTuple):
    """What has been found out of a configuration before it runs."""

    error: str | None = None  # why training would refuse it, in a sentence
    n_parameters: int = 0
    n_bytes: int = 0  # of the weights
    unscored: str | None = None  # why it will end without a score


@dataclass
class SweepRun:
    """A run of a sweep, and how it fares in this launch."""

    overrides: list[str]  # that the sweeper has chosen
    folder: Path
    config: dict[str, Any]  # resolved, without Hydra's part
    fingerprint: str  # of the configuration
    hydra: DictConfig  # Hydra's part of the configuration
    label: str = ""  # what tells it from the others
    state: str = "waiting"  # then `running`, then `completed`, `pruned`, `failed` or `interrupted`
    error: str | None = None  # why it failed
    seconds: float | None = None  # that it took in this launch; None if it has not been started
    expected: float | None = None  # seconds that all of it takes, by the bill

    @property
    def is_training(self) -> bool:
        """Whether it leaves a run folder behind; `eval.py` and the like don't."""
        return "resume" in self.config

    def command_line(self) -> list[str]:
        """What would have to be typed after the script to start it alone."""
        arguments = [*_flags(sys.argv[1:]), *self.overrides]
        arguments += [o for o in as_typed(self.hydra.overrides.hydra) if not o.lstrip("+~").startswith(NOT_PASSED_ON)]
        arguments.append(f"hydra.run.dir={quoted(self.folder)}")
        if self.is_training:
            arguments += ["resume=auto", f"sweep={quoted(self.folder.parent.name)}"]
        return arguments


class RunReturn(JobReturn):
    """What a sweeper is told of a run. (Hydra's own ends the sweep where the value of a failed job is read.)"""

    return_value: float | None = None  # the newest score, lower being better


def plan(loader: ConfigLoader, master: DictConfig, batch: Sequence[Sequence[str]], first: int) -> list[SweepRun]:
    """Compose the runs of a batch, the overrides of each being given, and the number of the first."""
    setup_globals()
    swept = swept_keys(master)
    configs = [loader.load_sweep_config(master, list(overrides)) for overrides in batch]
    return [plan_run(c, list(o), first + n, swept) for n, (c, o) in enumerate(zip(configs, batch, strict=True))]


def swept_keys(master: DictConfig) -> list[str]:
    """The keys that a sweep varies."""
    return list(OmegaConf.select(master, "hydra.callbacks.announced.swept", default=()))


def plan_run(config: DictConfig, overrides: list[str], number: int, swept: Sequence[str]) -> SweepRun:
    """Make a run of what was composed from its overrides."""
    before = HydraConfig.instance().cfg
    try:
        with open_dict(config), read_write(config.hydra.runtime):
            config.hydra.job.id = config.hydra.job.num = number
            HydraConfig.instance().set_config(config)
            folder = Path(os.path.abspath(Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir))  # noqa: PTH100
            config.hydra.runtime.output_dir = str(folder)
            HydraConfig.instance().set_config(config)
            own = fingerprint(config)
            hydra = config.pop("hydra")
        container: Any = OmegaConf.to_container(config, resolve=True)
    finally:
        HydraConfig.instance().cfg = before
    label = " ".join(telling(overrides, swept)) or "all defaults"
    return SweepRun(overrides, folder, container, own, hydra, label)


def report_run(run: SweepRun) -> JobReturn:
    """Return what the sweeper is told of a run that has ended."""
    result = RunReturn(run.overrides, OmegaConf.create(run.config), run.hydra, str(Path.cwd()))
    result.task_name = run.hydra.job.name
    is_done = run.state in ("completed", "pruned")
    result.status = JobStatus.COMPLETED if is_done else JobStatus.FAILED
    result.return_value = read_outcome(run.folder).score if is_done else None
    return result


def _flags(arguments: Sequence[str]) -> list[str]:
    """Hydra's flags that say where configurations are."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for name, short in (("--config-path", "-cp"), ("--config-name", "-cn"), ("--config-dir", "-cd")):
        parser.add_argument(name, short)
    given = vars(parser.parse_known_args(arguments)[0])
    return [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
