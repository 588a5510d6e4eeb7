"""The encoders of torch-fidelity, trained on natural colour photographs, whose weights are downloaded once."""

import logging
import warnings
from abc import abstractmethod
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as TF

from genlab.images import grey_to_rgb
from genlab.metrics.encoders.vision_transformer import VisionTransformer
from genlab.metrics.encoders.weights import published_weights, tensors_only
from genlab.protocols import FeatureEncoder

log = logging.getLogger(__name__)


class PhotographEncoder(nn.Module, FeatureEncoder):
    """An encoder with published weights, which warns of grey images.

    Args:
        weights: file to take the weights from instead of $TORCH_HOME/hub/checkpoints.

    Raises:
        UsageError: if the weights are missing and can't be downloaded, or if the file is not the published one.
    """

    library = f"torch-fidelity {version('torch-fidelity')}"
    url: str
    filename: str
    sha256: str

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        path = published_weights(self.name, self.url, self.filename, self.sha256, weights)
        with torch.random.fork_rng(devices=[]):  # it draws weights that are replaced at once: training must not notice
            self.network = self._network(path)
        self.eval().requires_grad_(False)
        self._has_warned = False

    @abstractmethod
    def _network(self, path: Path) -> nn.Module:
        """Build the network of a verified weight file."""

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 images (B, C, H, W) to float32 features (B, dim)."""
        return self.network(self._colour(images))[0]

    def _colour(self, images: Tensor) -> Tensor:
        if images.shape[1] == 1 and not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s was trained on natural colour photographs and is out of its domain on grey images: check the order "
                "of your models with features=efficientnet_lite0, which orders faults on digits too.",
                self.name,
            )
        return grey_to_rgb(images)


class Inception(PhotographEncoder):
    """The 2,048 pooled features of the Inception v3 network that FID is defined on, as torch-fidelity ported it.

    Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule. It resizes as TensorFlow 1 did.
    """

    name = "inception"
    metric = "fid"
    layer = "2048"
    resize = "299x299, bilinear of TensorFlow 1"
    dim = 2048
    filename = "weights-inception-2015-12-05-6726825d.pth"
    url = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{filename}"
    sha256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

    def _network(self, path: Path) -> nn.Module:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        layers = [self.layer, "logits_unbiased"]
        with tensors_only():
            return FeatureExtractorInceptionV3("inception-v3-compat", layers, feature_extractor_weights_path=str(path))

    def with_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map uint8 images (B, C, H, W) to features (B, 2048) and class logits (B, 1008), in one pass.

        The logits leave out the bias, as the Inception score always did: Salimans et al. 2016, Improved Techniques for
        Training GANs, and its published code.
        """
        features, logits = self.network(self._colour(images))
        return features, logits


class DINOv2(PhotographEncoder):
    """The class token of DINOv2's ViT-S/14, on images prepared as torch-fidelity does; the network is genlab's own.

    Stein et al. 2023, Exposing Flaws of Generative Model Evaluation Metrics, recommend DINOv2's features (of ViT-L).
    """

    name = "dinov2"
    metric = "fd_dinov2"
    layer = "dinov2"
    library = f"{PhotographEncoder.library}, network of genlab"
    resize = "224x224, bilinear of TensorFlow 1"
    dim = 384
    filename = "dinov2_vits14_pretrain.pth"
    url = f"https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/{filename}"
    sha256 = "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"

    def _network(self, path: Path) -> nn.Module:
        network = VisionTransformer()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
        return network

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 images (B, C, H, W) to float32 features (B, 384)."""
        from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

        x = interpolate_bilinear_2d_like_tensorflow1x(self._colour(images).float(), (224, 224), align_corners=False)
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in units of 255 grey levels
        return self.network(TF.normalize(x, [255 * m for m in mean], [255 * s for s in std]))


class CLIP(PhotographEncoder):
    """The image embedding of OpenAI's CLIP, ViT-B/32: Radford et al. 2021, Learning Transferable Visual Models.

    Its weights are published as a TorchScript archive, which holds code: it is opened after its sha256 was checked.
    """

    name = "clip"
    metric = "fd_clip"
    layer = "clip"
    resize = "224x224, bilinear of TensorFlow 1"
    dim = 512
    sha256 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
    filename = f"clip-vit-b-32-{sha256}.pt"  # torch-fidelity's name, so that its download serves as well
    url = f"https://openaipublic.azureedge.net/clip/models/{sha256}/ViT-B-32.pt"

    def _network(self, path: Path) -> nn.Module:
        from torch_fidelity.feature_extractor_clip import FeatureExtractorCLIP

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated, but there is no other file
            return FeatureExtractorCLIP("clip-vit-b-32", [self.layer], feature_extractor_weights_path=str(path))


class VGG16(PhotographEncoder):
    """The second hidden layer of VGG16's classifier, after its ReLU: Simonyan and Zisserman 2015.

    Kynkäänniemi et al. 2019, Improved Precision and Recall Metric, measure precision and recall in these features.
    """

    name = "vgg16"
    metric = "fd_vgg16"
    layer = "fc2_relu"
    resize = "224x224, bilinear of TensorFlow 1"
    dim = 4096
    filename = "vgg16-397923af.pth"
    url = f"https://download.pytorch.org/models/{filename}"
    sha256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"

    def _network(self, path: Path) -> nn.Module:
        from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16

        with tensors_only():
            return FeatureExtractorVGG16(self.name, [self.layer], feature_extractor_weights_path=str(path))
