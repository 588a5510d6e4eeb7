"""Composes a configuration in half of the time, with the same outcome: tests compose some thousand."""

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import omegaconf
from hydra._internal import defaults_list
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig

FILES: dict[Any, bytes] = {}  # what has been read, which is copied faster by pickle than by OmegaConf


def read_once(load: Callable[[ConfigSource, str], ConfigResult]) -> Callable[[ConfigSource, str], ConfigResult]:
    """Read a file of configuration once a process, and again where it has changed."""

    def load_once(source: ConfigSource, config_path: str) -> ConfigResult:
        file = Path(source.path, source._normalize_file_name(config_path))
        known = (source.provider, file, file.stat().st_mtime_ns if file.exists() else None)
        if known not in FILES:
            FILES[known] = pickle.dumps(load(source, config_path))
        return pickle.loads(FILES[known])

    return load_once


Plugins.instance()  # which imports the modules of sources anew: a class that is imported before is not the one in use
for kind in map(SourcesRegistry.instance().resolve, ("file", "pkg")):
    kind.load_config = read_once(kind.load_config)  # type: ignore[method-assign]

# A reference is parsed once.
omegaconf.base.parse = omegaconf._utils.parse = cache(omegaconf.base.parse)  # type: ignore[attr-defined]

# Hydra lists all choices made so far for each file, for references to them in lists of defaults, which are few.
list_choices = defaults_list._create_interpolation_map
defaults_list._create_interpolation_map = lambda overrides, defaults, has_self: (
    list_choices(overrides, defaults, has_self) if any(d.is_interpolation() for d in defaults) else DictConfig({})
)
