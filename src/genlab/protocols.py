"""What callbacks and evaluation may ask of a model, and what its parts have to offer."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from genlab.errors import UsageError


@runtime_checkable
class Samples(Protocol):
    """A model that makes images out of codes. Generators live on the CPU: same seed, same codes on any device."""

    image_shape: tuple[int, int, int]
    latent_shape: tuple[int, ...]  # of one code, (latent_dim,) for a vector
    latent_dim: int  # the number of its entries
    weights_in_use: str  # "raw" or "ema"

    def prior(self, n: int, generator: Generator | None = None) -> Tensor:
        """Draw n codes (n, *latent_shape)."""

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, *latent_shape) to images (B, C, H, W) in [-1, 1]."""

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """Draw n images (n, C, H, W) in [-1, 1]."""


@runtime_checkable
class Reconstructs(Protocol):
    """A model with an encoder. Both methods are deterministic."""

    def encode(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [-1, 1] to codes (B, *latent_shape)."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [-1, 1] to their reconstructions of the same shape and range."""


@runtime_checkable
class HasPosterior(Protocol):
    """A model that encodes an image as a Gaussian."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, C, H, W) to the means and log variances of q(z|x), each (B, *latent_shape)."""


@runtime_checkable
class HasDensity(HasPosterior, Protocol):
    """A model that says how probable images are."""

    likelihood: "Likelihood"

    def draw(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw an image (B, C, H, W) from p(x|z) for each of the codes (B, *latent_shape)."""

    def importance(
        self, x: Tensor, mean: Tensor, logvar: Tensor, n: int, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw z_1, ..., z_n from q(z|x) for images (B, C, H, W), given its means and log variances (B, *latent_shape).

        Returns:
            log p(x|z_k) + log p(z_k) - log q(z_k|x), and -log p(x|z_k), each (n, B) in nats.
        """


@runtime_checkable
class HasCodebook(Protocol):
    """A model whose codes consist of entries of a codebook, which have numbers."""

    codebook_size: int  # all numbers lie below it
    n_indices: int  # of one code

    def to_indices(self, z: Tensor) -> Tensor:
        """Map codes (B, *latent_shape) to the numbers (B, n_indices) of the entries that are nearest to them, long.

        In the order of reading: row by row of a code of maps, and all those of a place before those of the next.
        """

    def from_indices(self, indices: Tensor) -> Tensor:
        """Map numbers (B, n_indices), long, to the codes (B, *latent_shape) that they stand for."""


@runtime_checkable
class Averageable(Protocol):
    """A model that names the networks it samples and reconstructs with: those that an EMA should average."""

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """Return the networks by their attribute names."""


@runtime_checkable
class FeatureEncoder(Protocol):
    """A fixed network that describes images by feature vectors."""

    name: str
    metric: str  # the name under which a Fréchet distance in these features is logged
    layer: str
    library: str  # what computes it, with the version
    resize: str  # size and interpolation
    dim: int

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Map uint8 images (B, C, H, W), grey or in colour, to float32 features (B, dim)."""

    @abstractmethod
    def to(self, device: Any) -> Any:
        """Move the network."""


class ImageDistance(Protocol):
    """How far two images are apart for a fixed network, differentiable in both."""

    name: str  # of the network: a score in its features says less of a model that descends the distance

    @abstractmethod
    def __call__(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [-1, 1], twice, to (B,), at least 0."""


@runtime_checkable
class Scores(Protocol):
    """A callback that logs one number by which checkpoints are ranked. Lower is better."""

    score_key: str
    score: float | None  # of the evaluation that is ending, None if it was not measured
    protocol: dict[str, Any]  # what must be equal for two values to be comparable


class Likelihood(Protocol):
    """p(x | z), given what the decoder made of z: `out`, (B, C, H, W), images or logits. A module, if it learns."""

    is_binary: ClassVar[bool] = False  # whether images are black and white, as draws are and the mean is not

    @property
    def decoder_options(self) -> Mapping[str, Any]:
        """Keyword arguments that the decoder's factory needs, such as another output layer; often none."""
        return {}

    @property
    @abstractmethod
    def cell(self) -> float:
        """Width of a pixel value: p(x | z) cell^D is a probability. 2/255 on grey levels, 1 if p is one."""

    @abstractmethod
    def nll(self, x: Tensor, out: Tensor) -> Tensor:
        """-log p(x | z) with all constants: images (B, C, H, W) and decoder outputs to (B,) in nats."""

    @abstractmethod
    def mean(self, out: Tensor) -> Tensor:
        """Map decoder outputs to mean images (B, C, H, W) in [-1, 1]."""

    @abstractmethod
    def sample(self, out: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw images (B, C, H, W) from p(x | z)."""

    def check(self, x: Tensor) -> None:
        """Raise a UsageError if images (B, C, H, W) can't have this density, or warn in the log."""


class AdversarialLoss(Protocol):
    """What the two players minimise, as scalars, from logits of any shape."""

    uses_real: bool = False  # whether the generator's loss needs the logits of real samples
    boundary: float | None = None  # the logit above which D calls a sample real; None if the loss has no such logit

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The loss of D."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """The loss of G."""


class Penalty(Protocol):
    """What D minimises besides its loss. Batches are tensors (B, ...), or tuples of them for a critic of several."""

    weight: float  # above 0
    every: int = 1  # due in each n-th step, n times as strong
    forbids_batch_norm: bool = False  # True where the penalty is defined for each sample by itself

    @abstractmethod
    def __call__(
        self, critic: Callable[..., Tensor], real: Any, fake: Any, generator: Generator | None = None
    ) -> Tensor:
        """Return a scalar, its weight included but not `every`."""


class Augmentation(Protocol):
    """A random change of images through which gradients flow."""

    @abstractmethod
    def __call__(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map images (B, C, H, W) in [-1, 1] to as many of the same shape; values may leave the range."""


class ImageArray(Protocol):
    """Uint8 images (N, C, H, W), in memory or on disk."""

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> Tensor:
        """Images (B, C, H, W), by a slice or by row numbers (B,)."""


class Split(NamedTuple):
    """One part of a data set: images, and labels (N,) or (N, entries)."""

    images: ImageArray
    labels: Tensor


class Source(Protocol):
    """Where images come from."""

    @abstractmethod
    def __call__(self, size: int, channels: int, limit: int | None = None) -> Mapping[str, Split]:
        """Return the splits `train`, `val` and `test`, of at most `limit` images each."""


class LoadedRun(NamedTuple):
    """A trained model, its data and the whole configuration it was trained with."""

    model: Any  # fulfils `Samples`
    datamodule: Any  # an `ImageDataModule`
    config: dict[str, Any]
    checkpoint: Path  # the file that it was loaded from


def require(model: object, protocol: type, what: str, remedy: str) -> None:
    """Raise a UsageError unless `model` fulfils `protocol`, naming `what` needs it and the `remedy`."""
    if not isinstance(model, protocol):
        missing = [name for name in sorted(vars(protocol)) if not name.startswith("_") and not hasattr(model, name)]
        methods = " and ".join(f"{name}()" for name in missing)
        raise UsageError(f"{what} needs a model with {methods}, and {type(model).__name__} has none: {remedy}.")
