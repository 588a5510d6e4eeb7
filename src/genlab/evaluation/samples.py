"""How samples compare with the data, in the features of an encoder: one pass for all of these."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version

from genlab.errors import whole_number
from genlab.evaluation.subject import NotApplicable, Subject
from genlab.metrics import inception_score, kernel_distance, manifold_metrics
from genlab.metrics.population import frechet
from genlab.protocols import Reconstructs
from genlab.stamp import Measurement

FIDELITY = f"torch-fidelity {version('torch-fidelity')}"


class Frechet:
    """The Fréchet distance: `fid` in Inception's features, `fd_NAME` in others (Heusel et al. 2017, eq. 6)."""

    needs_features = False

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure the samples."""
        encoder, n = subject.encoder, len(subject.fakes)
        stamp = subject.stamp(encoder.metric, subject.reference, encoded=True, n_fake=n)
        yield Measurement(frechet(subject.fakes, subject.reals), stamp, "lower", note=few(n, encoder.dim))


class Kernel:
    """The kernel distance, KID for Inception's features (Binkowski et al. 2018), which few samples do not bias.

    Args:
        n_subsets: pairs of subsets that are averaged over.
        subset_size: images in each of them.
    """

    needs_features = True

    def __init__(self, n_subsets: int = 100, subset_size: int = 1000) -> None:
        self.n_subsets = whole_number("metrics.measures.kernel.n_subsets", n_subsets)
        self.subset_size = whole_number("metrics.measures.kernel.subset_size", subset_size, 2)

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure the samples."""
        fakes, reals = subject.features
        size = min(self.subset_size, len(fakes), len(reals))
        value, spread = kernel_distance(fakes, reals, self.n_subsets, size, subject.seed)
        settings = f"{self.n_subsets} subsets of {size}, {FIDELITY}"
        stamp = subject.stamp("kid", subject.reference, True, n_fake=len(fakes), settings=settings)
        yield Measurement(value, stamp, "lower", spread)


class Manifold:
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    They take as many real images as there are samples, from all over the reference, or as many of both as there are
    real ones.

    Args:
        k: nearest neighbours that span a ball, for precision and recall.
        k_density: the same for density and coverage.
    """

    needs_features = True

    def __init__(self, k: int = 3, k_density: int = 5) -> None:
        self.k = whole_number("metrics.measures.manifold.k", k)
        self.k_density = whole_number("metrics.measures.manifold.k_density", k_density)

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure the samples."""
        fakes, reals = subject.features
        n = min(len(fakes), len(reals))
        if n <= max(self.k, self.k_density):
            raise NotApplicable(f"it looks at {max(self.k, self.k_density)} neighbours, and there are {n} images")
        found = manifold_metrics(fakes[:n], reals[[i * len(reals) // n for i in range(n)]], self.k, self.k_density)
        for name, value in found._asdict().items():
            settings = f"k={self.k_density if name in ('density', 'coverage') else self.k}"
            stamp = subject.stamp(name, subject.reference, True, n_real=n, n_fake=n, settings=settings)
            yield Measurement(value, stamp, "higher")


class InceptionScore:
    """The Inception score (Salimans et al. 2016), which needs the classes of an Inception network.

    Args:
        n_splits: parts that the samples are divided into.
    """

    needs_features = True

    def __init__(self, n_splits: int = 10) -> None:
        self.n_splits = whole_number("metrics.measures.inception_score.n_splits", n_splits)

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure the samples."""
        if not hasattr(subject.encoder, "with_logits"):
            raise NotApplicable(f"{subject.encoder.name} gives no classes: type features=inception")
        logits = subject.fakes.logits
        assert logits is not None
        value, spread = inception_score(logits, self.n_splits)
        settings = f"{self.n_splits} splits, {FIDELITY}"
        stamp = subject.stamp("inception_score", subject.reference, True, n_fake=len(logits), settings=settings)
        yield Measurement(value, replace(stamp, images=None, split=None, n_real=None), "higher", spread)


class Sharpness:
    """High-frequency energy relative to the data's: 1 is as sharp, below is blurred, above noisy.

    The mean of all images that fit a code is blurred: the regression to the mean, as a number.
    """

    needs_features = False

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure the samples, and the reconstructions if there are any."""
        stamp = subject.stamp("sharpness_samples", subject.reference, n_fake=len(subject.fakes))
        yield Measurement(subject.fakes.energy / subject.reals.energy, stamp)
        if isinstance(subject.model, Reconstructs):
            n = len(subject.reconstructions)
            stamp = subject.stamp("sharpness_reconstructions", subject.split, n_fake=n)
            yield Measurement(subject.reconstructions.energy / subject.held_out.energy, stamp)


def few(n: int, dim: int) -> str:
    """What to mind about a Fréchet distance of n images in features of `dim` entries."""
    if n >= dim:
        return ""
    return f"{n} images for {dim} features: comparable at equal numbers alone; kid (metrics=full) has no such bias"
