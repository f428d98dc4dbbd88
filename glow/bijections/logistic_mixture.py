"""The CDF of a mixture of logistics, followed by a logit: the couplings of Flow++."""

import torch
from torch import Tensor
from torch.nn import functional as F

from glow.bijections.bijection import sum_per_example
from glow.bijections.precision import in_float64
from glow.bijections.root import solve_increasing
from glow.bijections.transform import Transform

LARGEST_LOG_SCALE = 20.0  # so that brackets stay finite


class LogisticMixture(Transform):
    r"""Map every entry by the CDF of a mixture of logistics, a logit, and an affine map.

    ::

        y = exp(s) * logit(sum_k pi_k sigmoid((x - mu_k) / sigma_k)) + t

    The 2 + 3K numbers of a channel are the raw s, whose tanh is taken, t, and K logits, means and
    log-scales; the log-scales are at least ``min_log_scale``. Zeros make the identity. There all
    components are alike and have the same gradient, so the raw means are multiplied by rates from
    1/2 to 3/2, which tells them apart after one step of any optimizer.

    The inverse brackets the root between the preimages under single components, and halves the
    bracket in float64. For the given y, float32 roots are exact to 2^-31 of the bracket and float64
    roots to 2^-60. Inputs up to 12 scales away from every component come back to
    ``1e-6 * max(1, |x|)`` in float32 and ``1e-10 * max(1, |x|)`` in float64. Between components
    that are further apart the map is flat, and a rounding of y moves x more.

    Ho et al. 2019, section 3.2.

    Args:
        n_components: The number of components, K.
        min_log_scale: The smallest log-scale of a component, in nats.

    Raises:
        ValueError: If there is no component, or ``min_log_scale`` is not below 20.
    """

    def __init__(self, n_components: int = 8, min_log_scale: float = -7.0) -> None:
        if n_components < 1:
            raise ValueError(f"n_components must be at least 1, got {n_components}")
        if not min_log_scale < LARGEST_LOG_SCALE:
            raise ValueError(
                f"min_log_scale must be below {LARGEST_LOG_SCALE:g}, got {min_log_scale}"
            )
        self.n_components = n_components
        self.n_raw = 2 + 3 * n_components
        self.min_log_scale = min_log_scale

    def forward(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Apply CDF, logit and affine map to every entry."""
        log_scale, shift, *mixture = self._parameters(raw, x)
        logit, log_slope = logit_of_mixture(x, *mixture)
        return logit * log_scale.exp() + shift, sum_per_example(log_slope + log_scale)

    def inverse(self, y: Tensor, raw: Tensor) -> Tensor:
        """Undo the affine map, and solve for the logit by bisection."""
        exact = in_float64(y)
        log_scale, shift, log_weights, means, log_scales = self._parameters(in_float64(raw), exact)
        target = (exact - shift) * (-log_scale).exp()

        def logit(x: Tensor) -> tuple[Tensor, Tensor]:
            value, log_slope = logit_of_mixture(x, log_weights, means, log_scales)
            return value, log_slope.exp()

        # The logit of the mixture lies between those of its components.
        single = (means + log_scales.exp() * target[..., None]).detach()
        lower, upper = single.amin(-1), single.amax(-1)
        return solve_increasing(logit, target, lower, upper, precision=y.dtype).to(y)

    def _parameters(self, raw: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        """Return s and t (B,C,...), and log-weights, means and log-scales (B,C,...,K)."""
        raw = raw.unflatten(1, (x.shape[1], self.n_raw)).movedim(2, -1)
        sizes = [1, 1, *[self.n_components] * 3]
        raw_scale, shift, logits, means, log_scales = raw.split(sizes, dim=-1)
        rates = torch.linspace(0.5, 1.5, self.n_components + 2, dtype=raw.dtype, device=raw.device)
        return (
            raw_scale.squeeze(-1).tanh(),
            shift.squeeze(-1),
            logits.log_softmax(-1),
            means * rates[1:-1],
            log_scales.clamp(self.min_log_scale, LARGEST_LOG_SCALE),
        )


def logit_of_mixture(
    x: Tensor, log_weights: Tensor, means: Tensor, log_scales: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the logit of the CDF of a mixture of logistics, and the log of its slope.

    The CDF rounds to 1 from 17 scales on, where its logit would be infinite. ``log cdf - log(1 -
    cdf)``, both from the logarithms of the components, is exact there, and increases.

    Args:
        x: Any points (...).
        log_weights: The logarithms of the weights (...,K), whose exponentials sum to 1.
        means: The means (...,K).
        log_scales: The logarithms of the scales (...,K).

    Returns:
        Both, (...).
    """
    z = (x[..., None] - means) * (-log_scales).exp()
    below, above = F.logsigmoid(z), F.logsigmoid(-z)
    log_cdf = (log_weights + below).logsumexp(-1)
    log_tail = (log_weights + above).logsumexp(-1)
    log_density = (log_weights + below + above - log_scales).logsumexp(-1)
    return log_cdf - log_tail, log_density - log_cdf - log_tail
