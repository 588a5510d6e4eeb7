"""What is said of images that change their colours."""

import logging
from pathlib import Path

import pytest
from photos import folder, put_photos
from PIL import Image


@pytest.fixture
def photos(tmp_path) -> Path:
    return put_photos(tmp_path / "photos")


def test_grey_files_in_colour_are_said(photos, caplog):
    caplog.set_level(logging.INFO)
    for path in photos.iterdir():
        Image.open(path).convert("L").save(path)
    folder(photos)(16, 3)
    assert caplog.text.count("photos is grey") == 1
    caplog.clear()
    folder(photos)(16, 1)
    assert "photos is" not in caplog.text
