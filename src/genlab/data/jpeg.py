"""What coding as JPEG does to images."""

from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling
from torch import Tensor

from genlab.data.view import opened

Coding = dict[str, Any]  # arguments for Pillow's `save`


def jpeg_coding(source: Any) -> Coding | None:
    """How a file was coded, a path or its bytes; None if it is no JPEG."""
    with opened(source) as image:
        if not isinstance(image, JpegImageFile):
            return None
        return {"qtables": image.quantization, "subsampling": get_sampling(image)}


def code_as_jpeg(images: Tensor, coding: Coding) -> Tensor:
    """Code uint8 images (B, C, H, W), of one channel or three, as JPEG and decode them."""
    decoded = []
    for pixels in images.cpu().numpy().transpose(0, 2, 3, 1):
        file = BytesIO()
        Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(file, "JPEG", **coding)
        with Image.open(file) as image:
            decoded.append(np.asarray(image).reshape(pixels.shape))
    return torch.from_numpy(np.stack(decoded).transpose(0, 3, 1, 2).copy()).to(images.device)
