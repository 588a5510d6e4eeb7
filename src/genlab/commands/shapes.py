"""Whether the networks of a model give what it takes them to give."""

import torch
from torch import Tensor

from genlab.errors import UsageError
from genlab.models.base import ImageModel
from genlab.protocols import Reconstructs


@torch.no_grad()
def check_shapes(model: ImageModel) -> None:
    """Decode two codes, encode and reconstruct two images: a loss may well take other shapes, by broadcasting.

    In evaluation mode, on PyTorch's default device; it changes nothing.

    Raises:
        UsageError: if a code or an image has another shape than it is to have.
    """
    was_training, image = model.training, model.image_shape
    model.eval()
    try:
        _check(model, "decode", model.decode(torch.zeros(2, model.latent_dim)), "images", "data.image_shape", image)
        if isinstance(model, Reconstructs):
            x, code = torch.zeros(2, *image), (model.latent_dim,)
            _check(model, "encode", model.encode(x), "codes", "a code", code)
            _check(model, "reconstruct", model.reconstruct(x), "images", "data.image_shape", image)
    finally:
        model.train(was_training)


def _check(model: ImageModel, method: str, made: Tensor, what: str, key: str, shape: tuple[int, ...]) -> None:
    if tuple(made.shape[1:]) != shape:
        raise UsageError(
            f"{type(model).__name__}.{method} makes {what} of shape {tuple(made.shape[1:])}, and {key} is {shape}."
        )
