"""Draws images. Needs torch and safetensors: `python generate.py 16 images` writes 16 PNG files into a folder."""

import json
import sys
from pathlib import Path
from zlib import compress, crc32

import networks
import torch
from safetensors.torch import load_file

CONFIG = json.loads(Path(__file__).with_name("config.json").read_text(encoding="utf-8"))
WEIGHTS = load_file(Path(__file__).with_name("model.safetensors"))


@torch.no_grad()
def generate(n, seed=0, label=None):
    """Draw n images (n, C, H, W) in [-1, 1], always the same ones for a seed; of a label, if the model takes any."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, *CONFIG["noise_shape"], generator=generator)
    inputs = [networks.from_noise(WEIGHTS, noise)] + ([labels(n, label, generator)] if CONFIG["labels"] else [])
    parts = zip(*(part.split(100) for part in inputs), strict=True)
    images = torch.cat([networks.decode(WEIGHTS, *part) for part in parts])
    if CONFIG["samples"] == "drawn":  # black or white pixels, white with probability (x + 1) / 2
        streams = [torch.Generator().manual_seed(crc32(f"samples {seed} {row}".encode())) for row in range(n)]
        noise = torch.stack([torch.rand(images.shape[1:], generator=stream) for stream in streams])
        images = 2 * (noise < 0.5 * (images + 1)).float() - 1
    return images


def labels(n, label, generator):
    """n labels: a class by its name or number, or {NAME: VALUE}; what is left open is drawn as in training."""
    known, names = WEIGHTS["labels"], CONFIG["labels"]["names"]
    if known.ndim == 1:  # the shares of the classes, the last one of images without a class
        if label is not None:
            return torch.full((n,), names.index(str(label)) if str(label) in names else int(label))
        y = torch.multinomial(known, n, replacement=True, generator=generator)
        return torch.where(y < len(names), y, -1)
    rows = known[torch.randint(len(known), (n,), generator=generator)]
    for name, value in (label or {}).items():
        rows[:, names.index(name)] = float(value)
    return rows


def save_png(image, path):
    """Write an image (C, H, W) in [-1, 1] as a PNG file of 256 levels."""
    levels = image.add(1).mul(127.5).round().clamp(0, 255).byte().permute(1, 2, 0).flatten(1).tolist()
    header = b"IHDR" + b"".join(n.to_bytes(4, "big") for n in image.shape[:0:-1]) + bytes([8, len(image) - 1, 0, 0, 0])
    parts = [header, b"IDAT" + compress(b"".join(b"\0" + bytes(row) for row in levels)), b"IEND"]
    chunks = [(len(part) - 4).to_bytes(4, "big") + part + crc32(part).to_bytes(4, "big") for part in parts]
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
    asked = sys.argv[4:]  # a class, or NAME=VALUE and others
    asked = dict(text.split("=") for text in asked) if "=" in "".join(asked) else "".join(asked) or None
    for number, image in enumerate(generate(int(sys.argv[1]), *map(int, sys.argv[3:4]), label=asked)):
        save_png(image, Path(sys.argv[2]) / f"{number:06d}.png")
