"""Self-attention between the positions of an image."""

from einops import rearrange
from torch import Tensor
from torch.nn import functional as F


def attend(projected: Tensor, n_heads: int) -> Tensor:
    """Mix the values of all positions, as queries and keys say, in each head.

    Args:
        projected: Queries, keys and values next to each other, (B,N,3F).
        n_heads: The number of heads, which divides F.

    Returns:
        Mixed values (B,N,F).
    """
    heads = rearrange(projected, "b n (three h d) -> three b h n d", three=3, h=n_heads)
    queries, keys, values = heads.unbind(0)
    mixed = F.scaled_dot_product_attention(queries, keys, values)
    return rearrange(mixed, "b h n d -> b n (h d)")


def check_heads(width: int, n_heads: int) -> None:
    """Raise ``ValueError`` if heads do not share the features evenly.

    Args:
        width: The number of features, F.
        n_heads: The number of heads.
    """
    if n_heads < 1 or width % n_heads:
        raise ValueError(f"width must be a multiple of n_heads={n_heads}, got {width}")
