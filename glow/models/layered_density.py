"""A density over vectors whose flow is the same kind of layer several times."""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from glow.bijections import ActNorm, Bijection, Chain, Inverse
from glow.models.base import Base, StandardNormal
from glow.models.density import Density

LayerFactory = Callable[[int], Bijection]  # features -> bijection
BaseFactory = Callable[[int], Base]  # features -> base


class LayeredDensity(Density):
    """A density whose flow is an ActNorm, then K layers, with a fixed mixing between them.

    ::

        x -> ActNorm -> layer 1 -> mixing -> layer 2 -> ... -> layer K -> z

    ``reverse`` turns every layer around. Turn a layer so that it is fast in the direction that
    training needs: toward z for maximum likelihood, toward x for variational inference.

    Args:
        features: The number of features, D.
        layer: Builds a layer from D.
        n_layers: K.
        mixing: Builds what is between two layers, such as a permutation; None for nothing.
        reverse: Whether each layer is the ``Inverse`` of what ``layer`` builds.
        base: Builds the distribution of z from D.

    Raises:
        ValueError: If ``features`` or ``n_layers`` is less than 1.
    """

    def __init__(
        self,
        features: int,
        layer: LayerFactory,
        n_layers: int = 4,
        mixing: LayerFactory | None = None,
        *,
        reverse: bool = False,
        base: BaseFactory = StandardNormal,
    ) -> None:
        if min(features, n_layers) < 1:
            raise ValueError(
                f"features and n_layers must be at least 1, got {features} and {n_layers}"
            )
        parts: OrderedDict[str, nn.Module] = OrderedDict(actnorm=ActNorm(features, 1.0))
        for k in range(1, n_layers + 1):
            if k > 1 and mixing is not None:
                parts[f"mixing{k - 1}"] = mixing(features)
            parts[f"layer{k}"] = Inverse(layer(features)) if reverse else layer(features)
        super().__init__(
            base(features),
            Chain(parts),
            config={
                "features": features,
                "layer": layer,
                "n_layers": n_layers,
                "mixing": mixing,
                "reverse": reverse,
                "base": base,
            },
        )
