"""Images described in one line."""

import torch

from genlab.metrics.population import Population, feature_statistics


def population(images: torch.Tensor, encoder, batch_size: int = 100, keep: bool = False) -> Population:
    """Describe uint8 images (N, C, H, W) on the CPU."""
    return feature_statistics(lambda rows: images[rows], len(images), encoder, batch_size, torch.device("cpu"), keep)
