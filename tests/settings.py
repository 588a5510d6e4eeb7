"""Configurations for tests, composed from the real config tree."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"

# A few steps of small networks on a few images, on one CPU device.
TINY = (
    "data.limit=64",
    "data.batch_size=16",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "trainer.log_every_n_steps=1",
)


def options(group: str) -> list[str]:
    """Names of the config files in a group, so that tests grow with the config tree."""
    names = sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))
    assert names, f"configs/{group} holds no options"
    return names


def config(*overrides: str, run_dir: Path | str = "unused", name: str = "train") -> DictConfig:
    """Compose a configuration as the entry script would."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(name, [f"paths.run_dir={run_dir}", *overrides])


def run_script(name: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an entry script as a user would, in a process and a working directory of its own."""
    env: dict[str, Any] = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    command = [sys.executable, str(ROOT / "src" / f"{name}.py"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=env | environment, capture_output=True, text=True, timeout=300, check=False
    )
