"""Configurations for tests, composed from the real config tree."""

import os
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig
from quick_composition import FILES

# No test cuts the power. A run flushes some fifty files and folders, each of which takes a disk milliseconds.
os.fsync = lambda descriptor: None  # type: ignore[assignment]

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
    """Compose a configuration as the entry script would. What its groups give is composed once a process."""
    typed = OverridesParser.create().parse_overrides([f"paths.run_dir={run_dir}", *overrides])
    cfg = pickle.loads(_composed(name, tuple(str(o.input_line) for o in typed if _composes(o))))
    ConfigLoaderImpl._apply_overrides_to_config([o for o in typed if not _composes(o)], cfg)
    return cfg


@cache
def _composed(name: str, overrides: tuple[str, ...]) -> bytes:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        cfg = compose(name, list(overrides))
    assert FILES, "Hydra reads files in another way than `quick_composition` knows"
    return pickle.dumps(cfg)


def _composes(override: Override) -> bool:
    """Whether an override bears on which files a configuration consists of."""
    key = override.key_or_group
    return "/" in key or key.startswith("hydra") or override.package is not None or (CONFIGS / key).is_dir()


def run_script(name: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an entry script as a user would, in a process and a working directory of its own."""
    env: dict[str, Any] = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    command = [sys.executable, str(ROOT / "src" / f"{name}.py"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=env | environment, capture_output=True, text=True, timeout=300, check=False
    )
