"""A causal transformer, as small as it gets."""

from torch import Tensor, cat, nn
from torch.nn import functional as F

from genlab.bounds import PositiveInt

HEAD = 32  # entries of a head

Past = tuple[Tensor, Tensor]  # keys and values (B, heads, L, HEAD)


class Block(nn.Module):
    """Attention to what comes before, then an MLP, each on normalised input and added to it (Radford et al. 2019).

    Args:
        width: entries of a token, a multiple of `HEAD`.
    """

    def __init__(self, width: PositiveInt) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, past: Past | None = None) -> tuple[Tensor, Past]:
        """Map tokens (B, L, width) to as many, each of which knows those before it.

        Args:
            x: all tokens, or with `past` the one that follows.
            past: what was returned for those before.
        """
        heads = self.qkv(self.before_attention(x)).unflatten(-1, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        q, k, v = heads.unbind()
        if past is not None:
            k, v = cat([past[0], k], 2), cat([past[1], v], 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.mlp(self.before_mlp(x)), (k, v)


class Transformer(nn.Module):
    """Blocks one after the other.

    Args:
        width: entries of a token.
        depth: number of blocks.
    """

    def __init__(self, width: PositiveInt, depth: PositiveInt) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, past: list[Past] | None = None) -> tuple[Tensor, list[Past]]:
        """As `Block`, with the past of each block."""
        present = []
        for number, block in enumerate(self.blocks):
            x, seen = block(x, past[number] if past else None)
            present.append(seen)
        return self.norm(x), present
