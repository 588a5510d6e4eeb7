"""A small network that tells labels, trained once on the training images: whether samples show what was asked for."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from genlab.data.arrays import fingerprint
from genlab.distributed import rank_and_world_size
from genlab.files import atomic_write, warn_on_failure
from genlab.images import to_float
from genlab.protocols import ImageArray

WIDTHS, BATCH_SIZE, LR = (32, 64, 128), 128, 2e-3
N_EPOCHS, MOST_STEPS = 12, 2000
NAME = f"CNN of widths {', '.join(map(str, WIDTHS))}, {N_EPOCHS} epochs or {MOST_STEPS:,} steps"

log = logging.getLogger(__name__)


class Classifier(nn.Module):
    """Convolutions of stride 2 with batch normalisation, global pooling, and a layer for all questions.

    Args:
        n_channels: of an image.
        n_choices: possible answers to each question: one of K for classes, two for each attribute.
    """

    def __init__(self, n_channels: int, n_choices: Sequence[int]) -> None:
        super().__init__()
        self.n_choices = list(n_choices)
        layers: list[nn.Module] = []
        for c_in, c_out in zip((n_channels, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(c_in, c_out, 3, 2, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
        self.layers = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], sum(n_choices))
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map images (B, C, H, W) in [-1, 1] to logits (B, choices) for each question."""
        return self.layers(x).split(self.n_choices, 1)

    def correct(self, x: Tensor, answers: Tensor) -> Tensor:
        """Whether it gives these answers (B, questions), as floats; NaN where an answer is -1, which is none."""
        found = torch.stack([logits.argmax(1) for logits in self(x)], 1)
        return torch.where(answers < 0, torch.nan, torch.eq(found, answers).float())


class ClassifierFeatures(nn.Module):
    """What a trained classifier knows of an image before it decides: a `FeatureEncoder` that has seen these data alone.

    Args:
        classifier: in evaluation mode.
        identity: of what it was trained on.
    """

    name, metric, layer, resize, dim = "classifier", "fd_classifier", "global average", "none", WIDTHS[-1]

    def __init__(self, classifier: Classifier, identity: str) -> None:
        super().__init__()
        self.layers = classifier.layers[:-1]
        self.library = f"{NAME} on {identity}"

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 images (B, C, H, W) to features (B, 128)."""
        features: Tensor = self.layers(to_float(images))
        return features


def trained_classifier(
    images: ImageArray, answers: Tensor, n_choices: Sequence[int], device: Any, cache_dir: Path | None
) -> Classifier:
    """Read a classifier from the cache, or train and cache it; the global random state stays as it is.

    The file has a name of a fingerprint of the images and their labels, and of the network.

    Args:
        images: uint8 (N, C, H, W).
        answers: (N, questions), -1 where there is none.
        n_choices: possible answers to each question.
        device: where it is to be.
        cache_dir: None for nowhere.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = Classifier(images.shape[1], n_choices)
    answered = hashlib.sha256(answers.numpy().tobytes()).hexdigest()
    identity = f"{fingerprint(images)} {answered} {list(n_choices)} {NAME}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    path = cache_dir / f"classifier_{digest}.npz" if cache_dir else None
    if path is None or not _read(classifier, path):
        log.info(
            "Training a small classifier on the %d training images%s", len(images), f", kept in {path}" * bool(path)
        )
        _train(classifier.to(device), images, answers, device)
        if path is not None and rank_and_world_size()[0] == 0:
            with warn_on_failure(f"{path.parent.name}/"):
                _write(classifier, path)
    return classifier.to(device).eval()


@torch.enable_grad()
def _train(classifier: Classifier, images: ImageArray, answers: Tensor, device: Any) -> None:
    size = min(BATCH_SIZE, len(images))
    n_steps = min(N_EPOCHS * (len(images) // size), MOST_STEPS)
    optimizer = torch.optim.Adam(classifier.parameters(), LR)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=n_steps + 1)
    generator, order = Generator().manual_seed(0), torch.empty(0, dtype=torch.long)
    for _ in range(n_steps):
        if len(order) < size:
            order = torch.randperm(len(images), generator=generator)
        rows, order = order[:size].sort().values, order[size:]
        logits, y = classifier(to_float(images[rows].to(device))), answers[rows].to(device)
        known = (y >= 0).sum().clamp_min(1)
        parts = [F.cross_entropy(part, y[:, k], ignore_index=-1, reduction="sum") for k, part in enumerate(logits)]
        optimizer.zero_grad()
        (torch.stack(parts).sum() / known).backward()
        optimizer.step()
        schedule.step()


def _read(classifier: Classifier, path: Path) -> bool:
    """Load the weights, arrays alone and no pickled objects; False if there are none, or if they are damaged."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            classifier.load_state_dict({name: torch.from_numpy(file[name]) for name in file})
    except Exception as error:  # a damaged archive fails in many ways
        log.warning("%s can't be read (%s): the classifier is trained again.", path, error)
        return False
    return True


def _write(classifier: Classifier, path: Path) -> None:
    arrays: Any = {name: value.cpu().numpy() for name, value in classifier.state_dict().items()}
    with atomic_write(path, shared=True) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)
