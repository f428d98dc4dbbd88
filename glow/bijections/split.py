"""Split: half of the channels becomes noise, given the half that goes on."""

from torch import Tensor

from glow.bijections.coupling import Coupling, deinterleave
from glow.bijections.folding import Folded
from glow.bijections.gaussian import degaussianize, gaussianize
from glow.bijections.precision import full_precision


class Split(Coupling):
    """Gaussianize half of the channels given the other half, so that it can leave as a latent.

    ::

        mean, log_std = net(x_a)        y = [x_a, eps]        eps = (x_b - mean) / exp(log_std)

    This is a coupling whose transformed half is N(0, 1) under the model; a multi-scale flow factors
    it out. Mean and log-std come in interleaved channels, in full precision.
    ``log_det = -sum(log_std)``.

    Paper section 3.6 and figure 2b; ``split2d`` and ``split2d_prior`` of the reference.

    Args:
        channels: The number of channels of x, which must be even.
        net: A function of the numbers of input and output channels that builds the prior's network.
    """

    n_raw = 2

    def condition(
        self, x_a: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> Tensor:
        """Run the network in full precision, without what may have been folded in a lower one."""
        with full_precision(x_a):
            return super().condition(x_a, context)

    def transform(self, x_b: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Gaussianize x_b."""
        return gaussianize(x_b, *deinterleave(raw))

    def untransform(self, y_b: Tensor, raw: Tensor) -> Tensor:
        """Turn noise back into x_b."""
        return degaussianize(y_b, *deinterleave(raw))
