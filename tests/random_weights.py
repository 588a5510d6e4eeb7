"""Weight files of published architectures with random numbers in them, as the real ones need a download."""

import warnings
from hashlib import sha256
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn


def _inception(path: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.save({}, path)
    with mock.patch.object(FeatureExtractorInceptionV3, "load_state_dict"):
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight *= 6**0.5  # torch draws a sixth of the variance that keeps the signal's size
    torch.save(network.state_dict(), path)


def _dinov2(path: Path) -> None:
    from genlab.metrics.encoders.vision_transformer import VisionTransformer

    torch.save({name: value + 0.02 * torch.randn_like(value) for name, value in _state(VisionTransformer())}, path)


def _clip(path: Path) -> None:
    """A TorchScript archive as OpenAI's, of one narrow block: torch-fidelity reads the sizes off the weights."""
    from torch_fidelity.feature_extractor_clip import CLIPVisual

    archive = nn.Module()
    for name, value in [*_state(CLIPVisual(512, 224, 1, 64, 32)), ("text_projection", torch.zeros(8, 512))]:
        *parents, leaf = name.split(".")
        module = archive
        for parent in parents:
            if parent not in dict(module.named_children()):
                module.add_module(parent, nn.Module())
            module = module.get_submodule(parent)
        module.register_parameter(leaf, nn.Parameter(value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated
        torch.jit.script(archive).save(path)


def _vgg16(path: Path) -> None:
    """Each output weighs its inputs alike, so that half a gigabyte of numbers shrinks to a few thousand in the file."""
    from torchvision.models import vgg16

    with torch.device("meta"):
        shapes = {name: value.shape for name, value in _state(vgg16())}
    torch.save({name: _rows(shape) for name, shape in shapes.items()}, path)


def _rows(shape: torch.Size) -> Tensor:
    per_output = 4 * torch.randn(shape[0], *[1] * (len(shape) - 1)) / shape[1:].numel()
    return per_output.expand(shape)


def _state(network: nn.Module) -> list[tuple[str, Tensor]]:
    return list(network.state_dict().items())


WEIGHTS = {"inception": _inception, "dinov2": _dinov2, "clip": _clip, "vgg16": _vgg16}


def write_random_weights(option: str, path: Path) -> str:
    """Write a file that the encoder `option` can load, and return its sum."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        WEIGHTS[option](path)
    return sha256(path.read_bytes()).hexdigest()
