"""Coding as JPEG, by the tables of a file."""

from io import BytesIO

import numpy as np
import pytest
import torch
from layouts import photographs
from PIL import Image

from genlab.data.jpeg import code_as_jpeg, jpeg_coding


@pytest.mark.parametrize("options", [{"quality": 20}, {"quality": 90, "subsampling": 0}])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_that_are_coded_as_a_file_was_are_what_the_file_holds(channels, options):
    pixels = photographs(2, 24, 17)[..., :channels]
    files = [BytesIO(), BytesIO()]
    for file, image in zip(files, pixels, strict=True):
        Image.fromarray(image.squeeze()).save(file, "JPEG", **options)
    found = code_as_jpeg(torch.from_numpy(pixels).permute(0, 3, 1, 2), jpeg_coding(files[0].getvalue()))
    assert found.shape == (2, channels, 24, 17)
    for file, image in zip(files, found, strict=True):
        assert np.array_equal(image.permute(1, 2, 0).squeeze().numpy(), np.asarray(Image.open(file)))
    assert not torch.equal(found, torch.from_numpy(pixels).permute(0, 3, 1, 2))


def test_what_is_no_jpeg_has_no_coding():
    file = BytesIO()
    Image.fromarray(photographs(1, 8, 8)[0]).save(file, "PNG")
    assert jpeg_coding(file.getvalue()) is None
