"""What a model makes of held-out images: losses, likelihoods, reconstructions, codes."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from genlab.bounds import PositiveInt
from genlab.evaluation.measure import Measure, mean_of
from genlab.evaluation.samples import bias_note
from genlab.evaluation.subject import NotApplicable, Subject, too_few
from genlab.losses.divergence import kl_to_standard_normal, mmd
from genlab.metrics import LPIPS, active_units, bits_per_dimension, importance_weighted_bound, reconstruction_errors
from genlab.metrics.population import frechet_with_error
from genlab.protocols import HasDensity, Reconstructs, Samples
from genlab.stamp import Measurement, trained_on


class Losses(Measure):
    """The model's own losses, which say nothing about another model."""

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        model = subject.able(Samples, "losses")

        def losses(x: Tensor, generator: Generator, **y: Tensor) -> dict[str, Tensor]:
            return {name: value.double().cpu() * len(x) for name, value in model.losses(x, generator, **y).items()}

        parts = subject.over_held_out(losses)
        n = len(subject.datamodule.images(subject.split))
        for name in parts[0]:
            yield Measurement(sum(part[name].item() for part in parts) / n, subject.stamp(name, subject.split))


class Likelihood(Measure):
    """The evidence lower bound, and the tighter one with K samples (Burda et al. 2016, eq. 8), in nats per image.

    Args:
        n_importance: K.
    """

    at_once = 10  # samples of z for each image of a batch

    def __init__(self, n_importance: PositiveInt = 100) -> None:
        self.n_importance = n_importance

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        model = subject.able(HasDensity, "likelihood p(x|z)")
        k = self.n_importance

        def terms(x: Tensor, generator: Generator, **y: Tensor) -> Tensor:
            mean, logvar = model.posterior(x, **y)
            draws = [min(self.at_once, k - start) for start in range(0, k, self.at_once)]
            found = [model.importance(x, mean, logvar, n, generator, **y) for n in draws]
            log_weights, nll = (torch.cat(parts) for parts in zip(*found, strict=True))
            bound, kl = importance_weighted_bound(log_weights), kl_to_standard_normal(mean, logvar)
            return torch.stack([nll.mean(0), kl, bound], 1).double().cpu()

        nll, kl, bound = torch.cat(subject.over_held_out(terms)).T
        bits = bits_per_dimension(-bound, subject.datamodule.images(subject.split)[:1].numel(), model.likelihood.cell)
        for name, value in {"elbo": -nll - kl, "log_likelihood_bound": bound, "bits_per_dimension": bits}.items():
            stamp = subject.stamp(name, subject.split, settings=f"K={k}")
            yield mean_of(value, stamp, "lower" if name == "bits_per_dimension" else "higher")


class Reconstruction(Measure):
    """MSE, PSNR, SSIM and LPIPS of reconstructions, and the Fréchet distance of all of them from their images."""

    def __call__(self, subject: Subject) -> Iterator[Measurement | NotApplicable]:
        model = subject.able(Reconstructs, "encoder")
        lpips = LPIPS().to(subject.device) if LPIPS.weights_path() else None

        def errors(x: Tensor, _: Generator, **y: Tensor) -> dict[str, Tensor]:
            x_hat = model.reconstruct(x, **y)
            found = reconstruction_errors(x, x_hat)._asdict()
            if lpips:
                found["lpips"] = lpips(x, x_hat)
            return {name: error.cpu() for name, error in found.items()}

        parts, split = subject.over_held_out(errors), subject.split
        n = sum(len(part["mse"]) for part in parts)
        mean = "mean" if subject.datamodule.binarize else None  # beside its own image
        for name in parts[0]:
            values = torch.cat([part[name] for part in parts])
            library, trained = (LPIPS.library, trained_on(model, LPIPS.name)) if name == "lpips" else (None, None)
            fields = {"n_fake": n, "library": library, "generated": mean, "trained_on": trained, "prior": None}
            stamp = subject.stamp(f"reconstruction_{name}", split, **fields)  # type: ignore[arg-type]
            yield mean_of(values, stamp, "higher" if name in ("psnr", "ssim") else "lower")
        metric = f"reconstruction_{subject.encoder.metric}"
        if reason := too_few(2, **{f"{split}_images": n}):
            yield NotApplicable(reason, metric)
            return
        value, error = frechet_with_error(subject.reconstructions, subject.held_out)
        stamp = subject.stamp(metric, split, encoded=True, n_fake=n, prior=None)
        note = bias_note(n, subject.encoder)
        yield Measurement(value, stamp, "lower", note=note, error=error)


class Codes(Measure):
    """Active units, the KL of each entry, and the distance of the aggregate posterior from the prior (MMD)."""

    def __call__(self, subject: Subject) -> Iterator[Measurement | NotApplicable]:
        model = subject.able(Reconstructs, "encoder")
        means, z, kl = subject.codes
        reason = too_few(2, **{f"{subject.split}_images": len(z)})
        if not reason:
            yield Measurement(float(active_units(means)), subject.stamp("active_units", subject.split), "higher")
        if kl is not None:
            stamp = subject.stamp("kl_per_dimension", subject.split)
            yield Measurement(kl.mean().item(), stamp, entries=tuple(kl.mean(0).tolist()))
        if reason:
            yield NotApplicable(reason, "active_units")
            yield NotApplicable(reason, "mmd_to_prior")
            return
        prior = model.prior(len(z), Generator().manual_seed(subject.seed)).cpu()
        stamp = subject.stamp(
            "mmd_to_prior", subject.split, settings="inverse multiquadratic kernels", prior=subject.prior
        )
        yield Measurement(mmd(z, prior).item(), stamp, "lower")
