"""Autoregressive flows: every feature is transformed given those before it."""

import torch
from torch import Tensor

from glow.bijections.bijection import Bijection
from glow.bijections.cost import warn_if_slow
from glow.bijections.coupling import NetFactory
from glow.bijections.transform import Affine, Transform

AFFINE = Affine()


class MaskedAutoregressive(Bijection):
    r"""Transform each feature with parameters that depend on the features before it.

    ::

        raw = net(x, context)        y_i = transform(x_i, raw_i)

    The network must be masked so that raw_i depends on x_1, ..., x_{i-1} alone, like
    ``glow.nets.MADE``; then the Jacobian is triangular. It may run in lower precision, and ``raw``
    is cast back to the dtype of x.

    ``forward`` is fast: density takes one pass of the network. ``inverse`` takes D passes, one
    feature after the other, and warns if D is large. ``Inverse(MaskedAutoregressive(...))`` is an
    inverse autoregressive flow (IAF), which samples in one pass. Papamakarios et al. 2017 (MAF);
    with a ``RationalQuadraticSpline``, RQ-NSF (AR) of Durkan et al. 2019.

    Args:
        features: The number of features, D.
        net: A function of the numbers of input and output features that builds the network.
        transform: The map of every feature.
    """

    def __init__(self, features: int, net: NetFactory, transform: Transform = AFFINE) -> None:
        super().__init__()
        self.net = net(features, transform.n_raw * features)
        self.transform = transform

    def condition(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Run the network.

        Args:
            x: Features (B,D).
            context: The context of the layer.

        Returns:
            The parameters of the transform, (B,n * D), in the dtype of x.
        """
        raw: Tensor = self.net(x, context).to(x.dtype)
        return raw

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Transform all features of (B,D) at once."""
        return self.transform.forward(x, self.condition(x, context))

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Recover one feature after the other."""
        size, features = y.shape
        warn_if_slow(
            features,
            "this direction of an autoregressive flow runs its network for each; the other one "
            "takes a single pass",
        )
        n = self.transform.n_raw
        found: list[Tensor] = []
        for i in range(features):
            # The network sees zeros for what is unknown: its mask multiplies them by zero, which
            # would not hide an infinity.
            x = torch.cat([*found, y.new_zeros(size, features - i)], dim=1)
            raw = self.condition(x, context)[:, n * i : n * (i + 1)]
            found.append(self.transform.inverse(y[:, i : i + 1], raw))
        return torch.cat(found, dim=1)
