"""Scale maps: from the raw output of a coupling network to the log-scale of an affine coupling.

Each takes a tensor of any shape and returns ``log_scale`` of the same shape, in nats. It computes
``log_scale`` directly, never as the logarithm of a scale that may have underflowed.
"""

import math
from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

ScaleMap = Callable[[Tensor], Tensor]


def sigmoid(raw: Tensor) -> Tensor:
    """Return the log of ``scale = sigmoid(raw + 2)``, in (0, 1), which is 0.88 at ``raw = 0``.

    This is the map of the reference.
    """
    return F.logsigmoid(raw + 2.0)


def floored_sigmoid(raw: Tensor, floor: float = 0.1) -> Tensor:
    """Return the log of ``scale = floor + (1 - floor) * sigmoid(raw + 2)``, in (floor, 1).

    The inverse divides by the scale, so the floor limits to ``1 / floor`` how much one coupling can
    magnify an error while sampling.

    Args:
        raw: The raw output of the network.
        floor: The smallest scale, from 0 to 1.
    """
    return (floor + (1.0 - floor) * (raw + 2.0).sigmoid()).log()


def double_sigmoid(raw: Tensor) -> Tensor:
    """Return the log of ``scale = 2 sigmoid(raw)``, in (0, 2), which is 1 at ``raw = 0``.

    This is the map of Jet.
    """
    return F.logsigmoid(raw) + math.log(2)


def tanh_exp(raw: Tensor, bound: float = 2.0) -> Tensor:
    """Return the log of ``scale = exp(bound * tanh(raw / bound))``, in (e^-bound, e^bound).

    This is the paper's ``exp``, bounded.

    Args:
        raw: The raw output of the network.
        bound: The largest absolute value of the log-scale.
    """
    return bound * (raw / bound).tanh()
