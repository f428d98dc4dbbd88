"""A vision transformer, the network of Jet."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from glow.nets.attention import attend, check_heads
from glow.nets.features import add_context, embeddings
from glow.nets.position_embedding import PositionEmbedding


class VisionTransformer(nn.Module):
    """Linear, positions, blocks of attention, zero-initialized linear: (B,C,H,W) to (B,O,H,W).

    Every position is a token. Dosovitskiy et al. 2021; Kolesnikov et al. 2024, section 2.

    Args:
        in_channels: The number of input channels, C.
        out_channels: The number of output channels, O.
        width: The number of features of a token.
        depth: The number of blocks.
        n_heads: The number of heads of attention.
        grid: Height and width of the grid of learned positions; see ``PositionEmbedding``.
        n_classes: If above 0, the context must be class labels (B,), whose embedding is added to
            the tokens.
        context_channels: If above 0, the context must be as many features of an image
            (B,F,H,W), whose embedding is added to the tokens.

    Raises:
        ValueError: If a number does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 512,
        depth: int = 2,
        n_heads: int = 8,
        grid: Sequence[int] = (8, 8),
        n_classes: int = 0,
        context_channels: int = 0,
    ) -> None:
        super().__init__()
        check_heads(width, n_heads)
        self.first = nn.Linear(in_channels, width)
        self.labels, self.features = embeddings(n_classes, context_channels, width)
        self.positions = PositionEmbedding(width, grid, std=width**-0.5)
        self.blocks = nn.ModuleList(TransformerBlock(width, n_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, out_channels)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Compute what the coupling does to the other half.

        Args:
            x: One half of the channels, (B,C,H,W).
            context: Class labels (B,), features (B,F,H,W), or None.

        Returns:
            The raw parameters of the coupling, (B,O,H,W).
        """
        hidden = self.first(x.movedim(1, -1)).movedim(-1, 1) + self.positions(*x.shape[2:])
        hidden = add_context(hidden, context, self.labels, self.features)
        tokens = hidden.flatten(2).mT
        for block in self.blocks:
            tokens = block(tokens)
        out: Tensor = self.last(self.norm(tokens))
        return out.mT.unflatten(2, x.shape[2:])


class TransformerBlock(nn.Module):
    """Attention, then an MLP of four times the width, each after ``LayerNorm`` and with a shortcut.

    Args:
        width: The number of features of a token.
        n_heads: The number of heads.
    """

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_attention = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        for linear in (self.project, self.mix, self.up, self.down):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (B,N,width)."""
        mixed = attend(self.project(self.norm_attention(tokens)), self.n_heads)
        tokens = tokens + self.mix(mixed)
        hidden = F.gelu(self.up(self.norm_mlp(tokens)), approximate="tanh")
        out: Tensor = tokens + self.down(hidden)
        return out
