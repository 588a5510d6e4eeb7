"""A density of the codes of a trained model."""

from pathlib import Path
from time import monotonic
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.progress import Progress
from torch import Tensor

from genlab.commands.fitted import digest, require_encoder
from genlab.commands.load import load_run
from genlab.commands.machine import quieten
from genlab.config.build import check_config
from genlab.console import console
from genlab.errors import UsageError
from genlab.modes.inputs import encode
from genlab.outputs import writing
from genlab.priors import Density
from genlab.priors.store import Fit, build_density, prior_name, prior_path, read_density, write_density
from genlab.protocols import LoadedRun

SECONDS = 10.0  # between two times that an unfinished fit is stored


def fit_prior(cfg: DictConfig) -> Path:
    """Fit a density to the codes of the training images of a run, print the path of its file and return it.

    What is fitted already is left as it is, and an interrupted fit goes on.

    Raises:
        UsageError: for a model without an encoder, or what the density can't be fitted to.
    """
    quieten()
    check_config(cfg)
    if not cfg.prior:
        raise UsageError("prior=none is the model's own, which needs no fit: type prior=mixture, or another one.")
    path = fit_density(load_run(cfg.run, cfg.weights), cfg.prior, cfg.seed)
    print(path)
    return path


def fit_density(run: LoadedRun, node: Any, seed: int) -> Path:
    """Fit the density of a node to the codes of the training images of a run; returns its file."""
    torch.manual_seed(seed)  # for what the density starts with
    require_encoder(run.model, prior_name(node))
    density = build_density(node, run.model)
    density.check(len(run.datamodule.images("train")))
    fit = Fit(OmegaConf.to_container(node, resolve=True), digest(run.model), seed)  # type: ignore[arg-type]
    path = prior_path(run.checkpoint, density.name)
    before = read_density(path, run.model)
    if before and before[0] == fit:
        _, density, is_complete = before
    if not (before and before[0] == fit and is_complete):
        codes = training_codes(run)
        _fit(density.to(run.model.device), codes, fit, path)
    return path


@torch.no_grad()
def training_codes(run: LoadedRun) -> Tensor:
    """The codes of the training images, as evaluation shows them: (N, *latent_shape), on the CPU.

    Raises:
        UsageError: if one is not finite.
    """
    if torch.accelerator.is_available():
        run.model.to(torch.accelerator.current_accelerator())
    codes = encode(run, "train", torch.arange(len(run.datamodule.images("train")))).cpu()
    if not codes.isfinite().all():
        raise UsageError(f"{run.checkpoint} encodes training images as NaN or infinity: train it anew.")
    return codes


def _fit(density: Density, codes: Tensor, fit: Fit, path: Path) -> None:
    """Fit a density and store it now and then, and at the end."""
    stored, out = monotonic(), console(stderr=True)
    with Progress(console=out, disable=not out.is_terminal, transient=True) as progress:
        bar = progress.add_task(f"{density.name} of {len(codes):,} codes", total=1.0)
        for done in density.train().fit(codes, fit.seed):
            progress.update(bar, completed=done)
            if done >= 1 or monotonic() - stored > SECONDS:
                with writing("run", path):
                    write_density(path, fit, density, done >= 1)
                stored = monotonic()
