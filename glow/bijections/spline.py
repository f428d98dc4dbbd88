"""Monotonic rational-quadratic splines."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from glow.bijections.transform import Transform


class RationalQuadraticSpline(Transform):
    r"""A monotonic spline on [-bound, bound], and the identity outside: linear tails.

    Between two knots the spline is a ratio of quadratics, with given slopes at the knots. With
    ``xi`` in [0, 1] for the place in a bin of width w, height h and mean slope ``m = h / w``, whose
    left knot is (x_k, y_k) and whose slopes are d_0 and d_1, ::

        y = y_k + h (m xi^2 + d_0 xi (1 - xi)) / (m + (d_0 + d_1 - 2 m) xi (1 - xi))

    The network gives K widths, K heights and K - 1 slopes per channel; the two outer slopes are 1,
    as in the tails. Zeros make the identity. Both directions take the same time: the inverse solves
    a quadratic equation. Durkan et al. 2019, section 3.1; Gregory and Delbourgo 1982.

    Args:
        n_bins: The number of bins, K.
        bound: Half the width of the interval.
        min_width: The smallest width and height of a bin, as a share of the interval.
        min_slope: The smallest slope at a knot.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        n_bins: int = 8,
        bound: float = 3.0,
        *,
        min_width: float = 1e-3,
        min_slope: float = 1e-3,
    ) -> None:
        if n_bins < 1:
            raise ValueError(f"n_bins must be at least 1, got {n_bins}")
        if bound <= 0:
            raise ValueError(f"bound must be above 0, got {bound}")
        if not 0 < min_width * n_bins < 1:
            raise ValueError(
                f"min_width must be above 0 and below 1 / n_bins = {1 / n_bins:.3g}, "
                f"got {min_width}"
            )
        if not 0 < min_slope < 1:
            raise ValueError(f"min_slope must be between 0 and 1, got {min_slope}")
        self.n_bins = n_bins
        self.n_raw = 3 * n_bins - 1
        self.bound = bound
        self.min_width = min_width
        self.min_slope = min_slope

    def forward(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the spline at every entry."""
        # Outside, the formula runs on the nearest end, whose finite gradient `where` can drop.
        inside = x.clamp(-self.bound, self.bound)
        x_knots, y_knots, slopes = self._knots(raw, x)
        k = _bin(x_knots, inside)
        x_left, width = _pick(x_knots, k), _pick(x_knots.diff(), k)
        y_left, height = _pick(y_knots, k), _pick(y_knots.diff(), k)
        left, right = _pick(slopes, k), _pick(slopes, k + 1)
        mean = height / width
        xi = (inside - x_left) / width  # in [0, 1], since rounding keeps order
        both = xi * (1 - xi)
        # Written as sums of positive terms, so that nothing cancels.
        below = mean * (1 - 2 * both) + (left + right) * both
        y = y_left + height * (mean * xi.square() + left * both) / below
        above = right * xi.square() + 2 * mean * both + left * (1 - xi).square()
        log_slope = 2 * mean.log() + above.log() - 2 * below.log()
        outside = x.abs() >= self.bound
        y, log_slope = torch.where(outside, x, y), torch.where(outside, 0.0, log_slope)
        return y, log_slope.flatten(1).sum(1)

    def inverse(self, y: Tensor, raw: Tensor) -> Tensor:
        """Solve the quadratic equation of the bin of every entry."""
        inside = y.clamp(-self.bound, self.bound)
        x_knots, y_knots, slopes = self._knots(raw, y)
        k = _bin(y_knots, inside)
        x_left, width = _pick(x_knots, k), _pick(x_knots.diff(), k)
        y_left, height = _pick(y_knots, k), _pick(y_knots.diff(), k)
        left, right = _pick(slopes, k), _pick(slopes, k + 1)
        mean = height / width
        eta = (inside - y_left) / height
        # (mean - b) xi^2 + b xi - mean * eta = 0, whose discriminant is a sum of positive terms. Of
        # the two forms of its positive root, each is used where it subtracts nothing.
        tilt = left * (1 - eta) - right * eta
        b = tilt + 2 * mean * eta
        discriminant = tilt.square() + 4 * mean.square() * eta * (1 - eta)
        half = (b.abs() + discriminant.sqrt()) / 2
        xi = torch.where(b > 0, mean * eta / half, half / (mean + b.abs()))
        return torch.where(y.abs() >= self.bound, y, x_left + width * xi)

    def _knots(self, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the knots' x, y and slopes, each (B,C,...,K + 1)."""
        raw = raw.unflatten(1, (x.shape[1], self.n_raw)).movedim(2, -1)
        widths, heights, slopes = raw.split([self.n_bins, self.n_bins, self.n_bins - 1], dim=-1)
        # The offset makes the slope 1 for a raw value of 0.
        slopes = self.min_slope + F.softplus(slopes + math.log(math.expm1(1 - self.min_slope)))
        return self._edges(widths), self._edges(heights), F.pad(slopes, (1, 1), value=1.0)

    def _edges(self, raw: Tensor) -> Tensor:
        """Return the K + 1 edges of bins, from -bound to bound, given unnormalized log-widths."""
        shares = self.min_width + (1 - self.n_bins * self.min_width) * raw.softmax(-1)
        inner = (2 * shares.cumsum(-1)[..., :-1] - 1) * self.bound
        # The ends are exact: a sum of shares is 1 only up to rounding.
        inner = F.pad(inner, (1, 0), value=-self.bound)
        return F.pad(inner, (0, 1), value=self.bound)


def _bin(edges: Tensor, x: Tensor) -> Tensor:
    """Return the number of the bin of every entry of x (B,C,...), given (B,C,...,K + 1) edges."""
    return (x[..., None] >= edges[..., 1:-1]).sum(-1, keepdim=True)


def _pick(values: Tensor, index: Tensor) -> Tensor:
    return values.gather(-1, index).squeeze(-1)
