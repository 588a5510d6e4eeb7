"""What an evaluation is of, built from its configuration: runs, one after the other, and a folder of images."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Generator, Tensor

from genlab.commands.load import load_run
from genlab.config.build import build
from genlab.evaluation import Subject
from genlab.evaluation.subject import folder_samples
from genlab.images import to_uint8
from genlab.sampling import sampler


def subjects(cfg: DictConfig, runs: Sequence[str], device: torch.device, keep: bool) -> Iterator[Subject]:
    """Load the runs, one after the other, and then the folder `images`.

    Args:
        cfg: what `configs/eval.yaml` says of a protocol; `data` in it takes the place of a run's own.
        runs: paths of run folders or checkpoint files.
        device: where models and the encoder go.
        keep: whether features of images are kept.
    """
    encoder = build(cfg.features).to(device)
    cache_dir = Path(cfg.cache_dir) if cfg.cache_dir else None
    n = cfg.metrics.n_samples
    given: Any = build(cfg.data) if cfg.get("data") else None
    datamodule = given

    def subject(name: str, samples: Callable[[slice], Tensor], n: int, model: Any = None, y: Any = None) -> Subject:
        official = cfg.metrics.reference == "official"  # all images of the official training set
        reference = datamodule.official_train if official else str(cfg.metrics.reference)
        how = (cfg.metrics.split, reference, cfg.metrics.batch_size, cfg.seed, keep)
        return Subject(name, samples, n, datamodule, encoder, device, cache_dir, model, *how, y)

    for path in runs:
        run = load_run(path, cfg.weights, cfg.get("prior"), cfg.ema)
        model: Any = run.model.to(device)
        datamodule = run.datamodule if given is None else given
        samples = sampler(model, datamodule, n, Generator().manual_seed(cfg.seed))
        shown = lambda rows, samples=samples: to_uint8(samples(rows))  # noqa: E731
        yield subject(path, shown, n, model, samples.labels)
    if cfg.images:
        yield subject(cfg.images, *folder_samples(Path(cfg.images), datamodule.image_shape, n))
