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
def generate(n, seed=0, *asked):
    """Draw n images (n, C, H, W) in [-1, 1], always the same ones for a seed; `asked` are labels, as in README.md."""
    noise = torch.randn(n, *CONFIG["noise_shape"], generator=(generator := torch.Generator().manual_seed(seed)))
    inputs = [networks.from_noise(WEIGHTS, noise), *networks.labels(WEIGHTS, n, asked, generator)]
    images = torch.cat([networks.decode(WEIGHTS, *part) for part in zip(*(i.split(100) for i in inputs), strict=True)])
    if CONFIG["samples"] == "drawn":  # black or white pixels, white with probability (x + 1) / 2
        draws = [torch.Generator().manual_seed(crc32(f"samples {seed} {row}".encode())) for row in range(n)]
        images = 2.0 * (torch.stack([torch.rand(images.shape[1:], generator=g) for g in draws]) < (images + 1) / 2) - 1
    return images


def save_png(image, path):
    """Write an image (C, H, W) in [-1, 1] as a PNG file of 256 levels."""
    levels = image.add(1).mul(127.5).round().clamp(0, 255).byte().permute(1, 2, 0).flatten(1).tolist()
    header = b"IHDR" + b"".join(n.to_bytes(4, "big") for n in image.shape[:0:-1]) + bytes([8, len(image) - 1, 0, 0, 0])
    parts = [header, b"IDAT" + compress(b"".join(b"\0" + bytes(row) for row in levels)), b"IEND"]
    chunks = [(len(part) - 4).to_bytes(4, "big") + part + crc32(part).to_bytes(4, "big") for part in parts]
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


if __name__ == "__main__":
    n, folder, *more = [*sys.argv[1:], *("16", "images")[len(sys.argv) - 1 :]]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(generate(int(n), *map(int, more[:1]), *more[1:])):
        save_png(image, Path(folder) / f"{number:06d}.png")
