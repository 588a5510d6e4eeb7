"""Fixtures that several tests share. The process that hands out tests reads this too, and needs no torch."""

import gc
import os
import signal
from itertools import chain

if hasattr(signal, "SIGHUP"):  # under nohup, which has it ignored, by the processes that tests start too
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if "PYTEST_XDIST_WORKER" in os.environ:  # tests run side by side: threads of theirs would fight for the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from settings import TINY, config

if TYPE_CHECKING:
    import torch

# Names by which test modules start processes.
STARTS = {"subprocess", "type_in", "run_script", "run_two", "swept", "Running"}

gc.disable()  # while modules are imported and tests are collected, which all stay


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what starts processes first in both halves, with which two workers begin: at the end they share the rest."""
    modules: dict[Any, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.getparent(pytest.Module), []).append(item)
    waiting = [module for module in modules if STARTS & vars(module.obj).keys()]
    halves = [list(chain.from_iterable(modules.pop(module) for module in waiting[i::2])) for i in (0, 1)]
    for own in modules.values():
        min(halves, key=len).extend(own)
    items[:] = chain.from_iterable(sorted(halves, key=len, reverse=True))


def pytest_collection_finish() -> None:
    """Leave what is there out of all garbage collections to come: they would look at it again and again."""
    gc.freeze()
    gc.enable()


class TrainedRun(NamedTuple):
    """A run folder and the score that `train` returned."""

    path: Path
    score: float | None


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for all tests, so that the reference is described once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def vae_run(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> TrainedRun:
    """A VAE trained for two short epochs with all default callbacks."""
    return _trained("vae", tmp_path_factory.mktemp("vae"), shared_data)


@pytest.fixture(scope="session")
def gan_run(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> TrainedRun:
    """A GAN trained for two short epochs with all default callbacks."""
    return _trained("gan", tmp_path_factory.mktemp("gan"), shared_data)


@pytest.fixture(scope="session")
def labelled_run(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> TrainedRun:
    """A VAE that is told the class of a digit, trained likewise."""
    return _trained("vae", tmp_path_factory.mktemp("labelled"), shared_data, "model/condition=class")


@pytest.fixture(scope="session")
def maps_run(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> TrainedRun:
    """A VAE of small spatial networks, whose codes are maps, trained likewise."""
    networks = [text for role in ("encoder", "decoder") for text in (f"model/{role}=spatial", f"model.{role}.width=4")]
    return _trained("vae", tmp_path_factory.mktemp("maps"), shared_data, "model.latent_shape=[2,7,7]", *networks)


def _trained(model: str, path: Path, data_dir: Path, *more: str) -> TrainedRun:
    from genlab.commands.train import train

    overrides = [*TINY, "trainer.max_epochs=2", "callbacks.frechet.n_samples=32", "~callbacks.progress", *more]
    cfg = config(*overrides, f"model={model}", f"paths.data_dir={data_dir}", run_dir=path)
    return TrainedRun(path, train(cfg))


@pytest.fixture
def generator() -> "torch.Generator":
    """A CPU generator with a fixed seed."""
    import torch

    return torch.Generator().manual_seed(0)
