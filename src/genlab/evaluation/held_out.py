"""What a model makes of held-out images: losses, likelihoods, reconstructions, codes."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.bounds import PositiveInt
from genlab.evaluation.applicable import Found, NotApplicable, too_few
from genlab.evaluation.samples import few
from genlab.evaluation.subject import Subject
from genlab.losses.divergence import kl_per_entry, mmd
from genlab.metrics import LPIPS, active_units, bits_per_dimension, importance_weighted_bound, reconstruction_errors
from genlab.metrics.population import frechet
from genlab.protocols import HasDensity, Reconstructs, Samples
from genlab.stamp import Measurement


class Losses:
    """The model's own losses, which say nothing about another model."""

    needs_features = False

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure on the held-out images."""
        model = subject.able(Samples, "losses")

        def losses(x: Tensor, generator: Generator) -> dict[str, Tensor]:
            return {name: value.double().cpu() * len(x) for name, value in model.losses(x, generator).items()}

        parts = subject.over_held_out(losses)
        n = len(subject.datamodule.images(subject.split))
        for name in parts[0]:
            yield Measurement(sum(part[name].item() for part in parts) / n, subject.stamp(name, subject.split))


class Likelihood:
    """The evidence lower bound, and the tighter one with K samples (Burda et al. 2016, eq. 8), in nats per image.

    Args:
        n_importance: K.
    """

    needs_features = False
    at_once = 10  # samples of z for each image of a batch

    def __init__(self, n_importance: PositiveInt = 100) -> None:
        self.n_importance = n_importance

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure on the held-out images."""
        model = subject.able(HasDensity, "likelihood p(x|z)")
        k = self.n_importance

        def terms(x: Tensor, generator: Generator) -> Tensor:
            mean, logvar = model.posterior(x)
            draws = [min(self.at_once, k - start) for start in range(0, k, self.at_once)]
            found = [model.importance(x, mean, logvar, n, generator) for n in draws]
            log_weights, nll = (torch.cat(parts) for parts in zip(*found, strict=True))
            bound, kl = importance_weighted_bound(log_weights), kl_per_entry(mean, logvar).sum(1)
            return torch.stack([nll.mean(0), kl, bound], 1).double().cpu()

        nll, kl, bound = torch.cat(subject.over_held_out(terms)).mean(0).tolist()
        settings = f"K={k}"
        yield Measurement(-nll - kl, subject.stamp("elbo", subject.split, settings=settings), "higher")
        yield Measurement(bound, subject.stamp("log_likelihood_bound", subject.split, settings=settings), "higher")
        bits = bits_per_dimension(-bound, subject.datamodule.images(subject.split)[:1].numel(), model.likelihood.cell)
        yield Measurement(bits, subject.stamp("bits_per_dimension", subject.split, settings=settings), "lower")


class Reconstruction:
    """MSE, PSNR, SSIM and LPIPS of reconstructions, and the Fréchet distance of all of them from their images."""

    needs_features = False

    def __call__(self, subject: Subject) -> Iterator[Found]:
        """Measure on the held-out images; LPIPS where its weights are at hand."""
        model = subject.able(Reconstructs, "encoder")
        lpips = LPIPS().to(subject.device) if LPIPS.weights_path() else None

        def errors(x: Tensor, _: Generator) -> dict[str, Tensor]:
            x_hat = model.reconstruct(x)
            found = reconstruction_errors(x, x_hat)._asdict()
            return {name: e.cpu() for name, e in (found | ({"lpips": lpips(x, x_hat)} if lpips else {})).items()}

        parts = subject.over_held_out(errors)
        n = sum(len(part["mse"]) for part in parts)
        mean = "mean" if subject.datamodule.binarize else None  # beside its own image
        for name, better in {"mse": "lower", "psnr": "higher", "ssim": "higher", "lpips": "lower"}.items():
            if name in parts[0]:
                value = torch.cat([part[name] for part in parts]).double().mean().item()
                library = LPIPS.library if name == "lpips" else None
                fields: dict[str, Any] = {"n_fake": n, "library": library, "generated": mean}
                yield Measurement(value, subject.stamp(f"reconstruction_{name}", subject.split, **fields), better)
        yield self._frechet(subject, n)

    def _frechet(self, subject: Subject, n: int) -> Found:
        encoder = subject.encoder
        metric = f"reconstruction_{encoder.metric}"
        if reason := too_few(2, **{f"{subject.split}_images": n}):
            return NotApplicable(reason, metric)
        stamp = subject.stamp(metric, subject.split, encoded=True, n_fake=n)
        return Measurement(frechet(subject.reconstructions, subject.held_out), stamp, "lower", note=few(n, encoder))


class Codes:
    """Active units, the KL of each entry, and the distance of the aggregate posterior from the prior (MMD)."""

    needs_features = False

    def __call__(self, subject: Subject) -> Iterator[Found]:
        """Measure the codes of the held-out images."""
        model = subject.able(Reconstructs, "encoder")
        means, z, kl = subject.codes
        reason = too_few(2, **{f"{subject.split}_images": len(z)})
        if reason is None:
            yield Measurement(float(active_units(means)), subject.stamp("active_units", subject.split), "higher")
        if kl is not None:
            stamp = subject.stamp("kl_per_dimension", subject.split)
            yield Measurement(kl.mean().item(), stamp, entries=tuple(kl.mean(0).tolist()))
        if reason:
            yield from (NotApplicable(reason, metric) for metric in ("active_units", "mmd_to_prior"))
            return
        prior = model.prior(len(z), Generator().manual_seed(subject.seed)).cpu()
        distance = mmd(z, prior).item()
        settings = "inverse multiquadratic kernels"
        yield Measurement(distance, subject.stamp("mmd_to_prior", subject.split, settings=settings), "lower")
