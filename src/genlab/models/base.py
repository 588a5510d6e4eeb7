"""What every model is: a decoder Psi: z -> x with a prior over z, and a way to train it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Generator, Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from genlab.bounds import AtLeastTwo, PositiveInt, ShareBelowOne
from genlab.conditioning import drawn_labels, given
from genlab.conditions import Condition
from genlab.devices import send
from genlab.distributed import broadcast_buffers, stream_of
from genlab.errors import UsageError
from genlab.models.codes import code_shape
from genlab.models.scheduled import Target, attributes, changed, check_schedules, check_total_steps, of_optimizers
from genlab.networks.conditional import conditional
from genlab.networks.layers import ImageShape
from genlab.priors.density import Density
from genlab.schedules import Schedule
from genlab.trainer.internals import is_last_accumulation, log_row, loggers_are_due

Network = Callable[..., nn.Module]  # (in_shape, out_shape) -> module
OptimizerFactory = Callable[..., Optimizer]  # parameters -> optimiser
CompileMode = Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]
SchedulerFactory = Callable[[Optimizer], LRScheduler]


class ImageModel(LightningModule, ABC):
    """What all models share: the prior, sampling, validation, counting of images, logging.

    A subclass gives `decode`, `losses`, `inference_networks` and `training_step`, and makes its networks by `network`.
    Images are float32 (B, C, H, W) in [-1, 1], codes (B, *latent_shape), batches (x, y). Random generators are CPU
    generators and noise moves to the device afterwards, so that a seed means the same codes on any device. Conditional
    models take labels `y` (B,) or (B, entries) as a further argument; None, and entries of -1, are no label.

    `latent_shape` is the shape of one code, `(latent_dim,)` for a vector, and `latent_dim` the number of its entries.

    Args:
        image_shape: (C, H, W).
        latent_dim, latent_shape, downsample, latent_channels: say what a code is, see `code_shape`.
        optimizer: makes an optimiser from parameters.
        scheduler: makes a learning rate schedule from an optimiser, stepped at every batch; None for none.
        schedules: of numbers of the model, its objective and its optimisers, by the names of `schedule_targets`; they
            are set before every batch.
        compile: compile the networks for training: true, or a mode of `torch.compile`.
        channels_last: keep the weights of convolutions in the memory format that some devices prefer.
        condition: what the model is told of an image; None for nothing.
        condition_drop: share of the training images whose label is left out, others in each batch, so that the model
            knows images without one too (Ho and Salimans 2022, algorithm 1).

    Raises:
        UsageError: for labels left out of a model that is told none.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None = None,
        *,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        schedules: Mapping[str, Schedule] | None = None,
        compile: bool | CompileMode = False,
        channels_last: bool = False,
        latent_shape: Iterable[PositiveInt] | None = None,
        downsample: AtLeastTwo | None = None,
        latent_channels: PositiveInt | None = None,
        condition: Condition | None = None,
        condition_drop: ShareBelowOne = 0.0,
    ) -> None:
        super().__init__()
        if condition_drop and condition is None:
            raise UsageError(
                f"model.condition_drop={condition_drop} leaves out labels, and this model is told none: type "
                "model/condition=class too."
            )
        self.condition, self.condition_drop = condition, condition_drop
        self.optimizer_factory, self.scheduler_factory = optimizer, scheduler
        self.schedules = dict(schedules or {})
        self.compile_networks, self.channels_last = compile, channels_last
        channels, height, width = image_shape
        self.image_shape: ImageShape = (channels, height, width)
        self.latent_shape = code_shape(self.image_shape, latent_dim, latent_shape, downsample, latent_channels)
        self.latent_dim = prod(self.latent_shape)
        self.images_seen = 0  # by training, over all processes
        self.terms: dict[str, Tensor] = {}  # of the newest loss, by name
        self._notes: dict[str, Tensor] = {}
        self.weights_in_use = "raw"  # or "ema"
        self.density: Density | None = None  # fitted to codes, in the place of the own prior
        self.noise: Generator | None = None  # the randomness of training; None draws from PyTorch's global one
        self.evaluation_noise: Generator | None = None

    def network(
        self, make: Network, in_shape: tuple[int, ...], out_shape: tuple[int, ...], **options: Any
    ) -> nn.Module:
        """Make a network between two shapes; that of a conditional model takes labels `y` too."""
        if self.condition is None:
            return make(in_shape, out_shape, **options)
        is_image = in_shape == self.image_shape
        return conditional(make, in_shape, out_shape, self.condition, self.condition.width, is_image, **options)

    def told(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        """The images (B, C, H, W) of a training batch, and what a conditional model is told of them, with gaps."""
        x, y = batch
        if self.condition is None:
            return x, None
        if self.condition_drop:
            y = self.condition.without(y, torch.rand(len(x), generator=self.noise) < self.condition_drop)
        return x, y

    def prior(self, n: int, generator: Generator | None = None) -> Tensor:
        """Draw n codes (n, *latent_shape) from p(z): draws from N(0, I), made into codes by `from_noise`."""
        return self.from_noise(torch.randn(n, *self.noise_shape, generator=generator))

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the draws from N(0, I) of which `from_noise` makes a code: that of a code itself here."""
        return self.density.noise_shape if self.density else self.latent_shape

    def from_noise(self, noise: Tensor) -> Tensor:
        """Map draws from N(0, I), on the CPU, to draws from p(z), both (B, *latent_shape): the same here."""
        return send(noise, self.device)

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each entry of a code under the prior, `latent_shape` each."""
        return torch.zeros(self.latent_shape, device=self.device), torch.ones(self.latent_shape, device=self.device)

    def draw_codes_from(self, density: Density) -> None:
        """Have a density that was fitted to codes take the place of the own prior, whatever that is."""
        self.density = density.to(self.device).requires_grad_(False)
        self.from_noise = density.from_noise  # type: ignore[method-assign]
        self.prior_moments = density.prior_moments  # type: ignore[method-assign]

    @abstractmethod
    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map codes (B, *latent_shape) to images (B, C, H, W) in [-1, 1]: Psi(z)."""

    def sample(self, n: int, generator: Generator | None = None, y: Tensor | None = None) -> Tensor:
        """Draw n images (n, C, H, W) in [-1, 1]: codes from the prior, decoded. Labels that are not given are drawn."""
        return self.decode(self.prior(n, generator), **given(drawn_labels(self, n, generator) if y is None else y))

    @abstractmethod
    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """The objective and its terms for images (B, C, H, W): scalars by name, averaged over the batch."""

    @abstractmethod
    def inference_networks(self) -> Mapping[str, nn.Module]:
        """The networks that sampling and reconstruction use, by attribute name."""

    @abstractmethod
    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """The paper's algorithm for a batch (x, y): returns what is to be descended, if it has not stepped itself."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the losses of held-out images under val/, those of test images under test/."""
        self._evaluate("val", batch, batch_idx)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate("test", batch, batch_idx)

    def _evaluate(self, phase: str, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:  # the same noise every time and on all processes
            self.evaluation_noise = Generator().manual_seed(0)
        x, y = batch
        losses = self.losses(x, self.evaluation_noise, **given(None if self.condition is None else y))
        self.log_dict({f"{phase}/{k}": v for k, v in losses.items()}, batch_size=len(x), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """One optimiser for all parameters, with its schedule."""
        optimizer = self.optimizer_factory(self.parameters())
        check_schedules(self.schedules, self.schedule_targets([optimizer]), self.scheduler_factory is not None)
        if (make := self.scheduler_factory) is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": make(optimizer), "interval": "step"}}

    def schedule_targets(self, optimizers: Sequence[Optimizer]) -> dict[str, Target]:
        """What `schedules` can change, by name: numbers of the model, and of its optimisers, if these are given."""
        return attributes(self) | (of_optimizers(optimizers) if optimizers else {})

    def set_scheduled(self, optimizers: Sequence[Optimizer] = ()) -> None:
        """Set what is scheduled to its value after the images seen so far, and note it for the log."""
        if self.schedules:
            self.note(changed(self.schedule_targets(optimizers), self.schedules, self.images_seen))

    def log_training(self, terms: Mapping[str, Tensor]) -> None:
        """Keep the terms of the loss, scalars: those of a step on which the loggers write are logged under train/."""
        self.terms = {name: term.detach() for name, term in terms.items()}

    def note(self, values: Mapping[str, Tensor]) -> None:
        """Keep further scalars of this step, by their whole keys, to be logged in one row with the loss."""
        self._notes.update(values)

    def setup(self, stage: str) -> None:
        """Take note of the labels of the training images."""
        if self.condition is not None and stage == "fit":
            self.condition.fit(self.trainer.datamodule.labels("train"))  # type: ignore[attr-defined]

    def on_fit_start(self) -> None:
        """Give each process its own random stream: DDP seeds all ranks alike."""
        self.noise = stream_of(self.global_rank)
        if self.channels_last:
            self.to(memory_format=torch.channels_last)
        check_total_steps(self.trainer)
        for network in self.children() if self.compile_networks else ():  # in place: the names of its weights stay
            network.compile(mode=None if self.compile_networks is True else self.compile_networks)

    def rank_state(self) -> dict[str, Any]:
        """State that differs between processes and that a resumed run needs: tensors and plain containers."""
        assert self.noise is not None
        return {"noise": self.noise.get_state()}

    def load_rank_state(self, state: dict[str, Any]) -> None:
        assert self.noise is not None
        self.noise.set_state(state["noise"])

    def is_last_accumulation(self) -> bool:
        """Whether this batch is the last one of an optimiser step."""
        return is_last_accumulation(self.trainer)

    def on_validation_start(self) -> None:
        """Evaluate the same model on all processes: each has batch statistics of its own since its last step."""
        broadcast_buffers(self)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if isinstance(self.compile_networks, str):
            torch.compiler.cudagraph_mark_step_begin()  # what CUDA graphs have computed before may be overwritten
        self.set_scheduled(self.trainer.optimizers)
        self.images_seen += len(batch[0]) * self.trainer.world_size

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log; at the last step, ask for a stop: Lightning would end within an epoch without a validation."""
        if 0 <= self.trainer.max_steps <= self.trainer.global_step:
            self.trainer.should_stop = True
        if loggers_are_due(self.trainer):
            values = self.terms | {"images_seen": torch.tensor(float(self.images_seen))}
            log_row(self.trainer, {f"train/{name}": value for name, value in values.items()} | self._notes)
        self._notes.clear()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["images_seen"] = self.images_seen

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.images_seen = checkpoint["images_seen"]
        self.set_scheduled()
