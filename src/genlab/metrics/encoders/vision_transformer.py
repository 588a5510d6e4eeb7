"""The network of DINOv2, written down here so that its weights can be loaded as data.

Its authors publish it as code that torch.hub downloads from GitHub and executes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """Attention, then an MLP, each on normalised tokens and added to its input with a weight for each channel.

    Dosovitskiy et al. 2021, An Image Is Worth 16x16 Words; LayerScale: Touvron et al. 2021, Going Deeper with Image
    Transformers, section 2.
    """

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.ls1 = nn.ParameterDict({"gamma": nn.Parameter(torch.ones(width))})
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
        self.ls2 = nn.ParameterDict({"gamma": nn.Parameter(torch.ones(width))})

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, T, width) to tokens of the same shape."""
        x = x + self.ls1["gamma"] * self._attend(self.norm1(x))
        return x + self.ls2["gamma"] * self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))

    def _attend(self, x: Tensor) -> Tensor:
        q, k, v = self.attn["qkv"](x).unflatten(2, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, T, -1)
        return self.attn["proj"](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class VisionTransformer(nn.Module):
    """ViT-S/14 without register tokens: Oquab et al. 2023, DINOv2: Learning Robust Visual Features.

    Parameters bear the names they have in facebookresearch/dinov2's weight files.

    Args:
        width: channels of a token.
        depth: number of blocks.
        n_heads: heads of each attention.
        patch_size: pixels on a side of the square that becomes a token.
        grid_size: patches on a side of the images it was trained on.
    """

    def __init__(
        self, width: int = 384, depth: int = 12, n_heads: int = 6, patch_size: int = 14, grid_size: int = 37
    ) -> None:
        super().__init__()
        self.grid_size = grid_size
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid_size**2, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # for training alone, but in the file
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch_size, patch_size)})
        self.blocks = nn.Sequential(*(Block(width, n_heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised float32 images (B, 3, H, W) to the class token (B, width), normalised.

        H and W are multiples of the patch size.
        """
        patches = self.patch_embed["proj"](images)
        x = patches.flatten(2).transpose(1, 2) + self.positions(patches.shape[2], patches.shape[3])
        cls = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
        return self.norm(self.blocks(torch.cat([cls, x], 1)))[:, 0]

    def positions(self, height: int, width: int) -> Tensor:
        """Positional embeddings of a grid of patches, (1, height * width, channels), by bicubic interpolation."""
        grid = self.pos_embed[:, 1:].transpose(1, 2).unflatten(2, (self.grid_size, self.grid_size))
        if (height, width) != (self.grid_size, self.grid_size):
            # The authors add 0.1 before they divide, and sample at the steps which that gives: features depend on it.
            scale = ((height + 0.1) / self.grid_size, (width + 0.1) / self.grid_size)
            grid = F.interpolate(grid, scale_factor=scale, mode="bicubic", align_corners=False)
        return grid.flatten(2).transpose(1, 2)
