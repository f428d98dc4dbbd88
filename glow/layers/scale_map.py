"""Scale maps: from the raw output of a coupling network to the log-scale of an affine coupling.

Each takes any real tensor and returns ``log_scale`` of the same shape, in nats, with ``log_scale``
as a stable function of its own (never the logarithm of a scale that may have underflowed).
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

ScaleMap = Callable[[Tensor], Tensor]


def sigmoid(raw: Tensor) -> Tensor:
    """``scale = sigmoid(raw + 2)``, in (0, 1): the reference's map, near 0.88 at the start."""
    return F.logsigmoid(raw + 2.0)


def floored_sigmoid(raw: Tensor, floor: float = 0.1) -> Tensor:
    """``scale = floor + (1 - floor) * sigmoid(raw + 2)``, in (floor, 1).

    The inverse divides by the scale, so the floor bounds by ``1 / floor`` how much one coupling can
    magnify an error when it samples.
    """
    return (floor + (1.0 - floor) * (raw + 2.0).sigmoid()).log()


def tanh_exp(raw: Tensor, bound: float = 2.0) -> Tensor:
    """``scale = exp(bound * tanh(raw / bound))``: the paper's exp, kept in (e^-bound, e^bound)."""
    return bound * (raw / bound).tanh()
