"""Drawn faces with attributes, in the files of CelebA: `python tests/benchmarks/faces.py FOLDER`.

`data=celeba data.root=FOLDER` reads them. What an attribute says is seen in the picture; all else is drawn at random.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ATTRIBUTES = ["Smiling", "Eyeglasses", "Wearing_Hat", "Blond_Hair"]
N_IMAGES = {0: 4000, 1: 200, 2: 400}  # of training, validation and test
SIZE = (178, 218)


def face(rng: np.random.Generator, smiles: bool, glasses: bool, hat: bool, blond: bool) -> Image.Image:
    """Draw a face somewhere near the middle."""
    x, y = (int(middle + rng.normal(0, 4)) for middle in (89, 118))
    wide, high = int(rng.normal(40, 3)), int(rng.normal(52, 3))
    skin = np.array([224, 180, 150]) * rng.uniform(0.45, 1.1)
    hair = np.array([235, 205, 120]) if blond else np.array([60, 40, 25]) * rng.uniform(0.5, 1.6)
    image = Image.new("RGB", SIZE, _colour(rng.uniform(60, 230, 3)))
    draw = ImageDraw.Draw(image)
    draw.ellipse((x - wide - 9, y - high - 14, x + wide + 9, y + high - 12), _colour(hair + rng.normal(0, 8, 3)))
    draw.ellipse((x - wide, y - high, x + wide, y + high), _colour(skin))
    if hat:
        colour = _colour(rng.uniform(0, 255, 3))
        draw.rectangle((x - wide - 22, y - high + 8, x + wide + 22, y - high + 18), colour)
        draw.rectangle((x - wide, y - high - 26, x + wide, y - high + 8), colour)
    for side in (-1, 1):
        eye = x + side * wide // 2
        draw.ellipse((eye - 6, y - 14, eye + 6, y - 6), "white")
        draw.ellipse((eye - 3, y - 13, eye + 3, y - 7), "black")
        if glasses:
            draw.ellipse((eye - 15, y - 24, eye + 15, y + 4), outline="black", width=4)
    if glasses:
        draw.line((x - 6, y - 10, x + 6, y - 10), "black", 4)
    if smiles:
        draw.chord((x - 20, y + 8, x + 20, y + 38), 10, 170, "white", _colour(skin * 0.4), 3)
    else:
        draw.line((x - 13, y + 30, x + 13, y + 30), _colour(skin * 0.4), 4)
    return image


def _colour(levels: np.ndarray) -> tuple[int, ...]:
    return tuple(levels.clip(0, 255).astype(int).tolist())


def write(root: Path) -> None:
    """Write images, partition and attributes."""
    images = root / "img_align_celeba"
    images.mkdir(parents=True)
    rng, partition = np.random.default_rng(0), [part for part, n in N_IMAGES.items() for _ in range(n)]
    signs = rng.random((len(partition), len(ATTRIBUTES))) < 0.5
    names = [f"{number:06d}.jpg" for number in range(1, len(partition) + 1)]
    for name, row in zip(names, signs, strict=True):
        face(rng, *row).save(images / name, quality=95)
    parts = [f"{name} {part}" for name, part in zip(names, partition, strict=True)]
    (root / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    rows = [
        f"{name} {' '.join(str(sign) for sign in np.where(row, 1, -1))}" for name, row in zip(names, signs, strict=True)
    ]
    (root / "list_attr_celeba.txt").write_text("\n".join([str(len(names)), " ".join(ATTRIBUTES), *rows]) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
