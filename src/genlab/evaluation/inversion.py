"""Which held-out images a decoder can make at all, whether or not there is an encoder that finds their codes."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.bounds import N_DRAWS, PositiveInt, Starts
from genlab.conditioning import given, labels_for
from genlab.distributed import in_batches
from genlab.evaluation.measure import Measure, mean_of
from genlab.evaluation.subject import Subject
from genlab.images import to_float
from genlab.metrics import invert, nearest_few, reconstruction_errors
from genlab.protocols import Samples
from genlab.stamp import Measurement


class Inversion(Measure):
    """The error of the closest image that can be found for a held-out one, and the share that is reached.

    An image is reached if the model comes closer to it, pixel by pixel, than the nearest training image does: a decoder
    that knows no more than these by heart reaches none, one that has dropped a mode none of that mode. The bar is
    higher where data are dense, and has no number to choose.

    Args:
        n_images: held-out images, from all over the split.
        n_starts, n_steps: see `invert`.
    """

    def __init__(self, n_images: PositiveInt = 100, n_starts: Starts = 2, n_steps: PositiveInt = 200) -> None:
        self.n_images, self.n_starts, self.n_steps = n_images, n_starts, n_steps

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        model, data = subject.able(Samples, "decoder"), subject.datamodule
        held_out, training = data.examples(subject.split, self.n_images), data.images(subject.reference)
        labels = labels_for(model, data.example_labels(subject.split, self.n_images))
        draws = model.prior(N_DRAWS, Generator().manual_seed(subject.seed))

        def errors(_: int, rows: slice) -> Tensor:
            images = held_out[rows].to(subject.device)
            y = given(None if labels is None else labels[rows])
            codes = invert(model.decode, to_float(images), draws, self.n_starts, self.n_steps, **y)
            found = model.decode(codes, **y)
            bar = nearest_few(images, training, 1)[0][:, 0].square() / images[0].numel() / 255**2
            return torch.stack([reconstruction_errors(to_float(images), found).mse, bar], 1).double().cpu()

        with torch.no_grad():
            mse, bar = torch.cat(list(in_batches(errors, len(held_out), subject.batch_size))).T
        search = f"best {self.n_starts} of {N_DRAWS} draws, {self.n_steps} steps"
        closer = f"closer than the nearest of {len(training)} {subject.reference} images, {search}"
        fields: dict[str, Any] = {
            "n_real": len(held_out),
            "generated": "mean" if data.binarize else None,
            "prior": subject.prior,
        }
        stamp = subject.stamp("inversion_mse", subject.split, settings=search, **fields)
        yield mean_of(mse, stamp, "lower")
        stamp = subject.stamp("reach", subject.split, settings=closer, **fields)
        yield mean_of(mse < bar, stamp, "higher")
