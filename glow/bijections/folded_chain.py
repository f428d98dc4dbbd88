"""A chain that prepares all of its parts before it applies the first."""

from collections.abc import Hashable, Sequence
from itertools import islice
from typing import Self

from torch import Tensor, nn

from glow.bijections.bijection import total_log_det
from glow.bijections.chain import Chain
from glow.bijections.folding import Foldable, Folded, Setting, call, call_inverse, fold
from glow.bijections.precision import without_autocast


class FoldedChain(Chain, Foldable):
    """A ``Chain`` that folds the parameters of its parts together; see ``folding.py``.

    This is for parts of one size, such as the steps of a level. Values are those of a ``Chain``.
    Under autocast, only what does not fold and the networks of couplings run in lower precision.
    """

    def kind(self) -> Hashable:
        """Return nothing: it is the parts that are alike or not."""
        return None

    @classmethod
    def fold(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Fold the parts of all chains at once."""
        return _fold_parts(layers, setting, inverse=False)

    @classmethod
    def fold_inverse(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Fold the parts of all chains at once."""
        return _fold_parts(layers, setting, inverse=True)

    def forward(
        self, x: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> tuple[Tensor, Tensor]:
        """Apply every part, first to last."""
        folded = self.folded_for(x, folded)
        terms = []
        with without_autocast(x):
            for part, share in zip(self, folded.parts, strict=True):
                x, term = self.run(part, x, context, share)
                terms.append(term)
        return x, total_log_det(terms, x)

    def inverse(
        self, y: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> Tensor:
        """Invert every part, last to first."""
        folded = self.folded_for(y, folded, inverse=True)
        with without_autocast(y):
            for part, share in reversed(list(zip(self, folded.parts, strict=True))):
                y = call_inverse(part, y, context, share)
        return y

    def run(
        self, part: nn.Module, x: Tensor, context: Tensor | None, folded: Folded
    ) -> tuple[Tensor, Tensor]:
        """Apply one part, with what was folded for it."""
        y, log_det = call(part, x, context, folded)
        return y, log_det


def _fold_parts(chains: Sequence[FoldedChain], setting: Setting, *, inverse: bool) -> list[Folded]:
    shares = iter(fold([part for chain in chains for part in chain], setting, inverse=inverse))
    return [Folded(setting, parts=tuple(islice(shares, len(chain)))) for chain in chains]
