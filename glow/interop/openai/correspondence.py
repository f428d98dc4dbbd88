"""Which variable of the reference is which tensor of ours, and in what layout."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

REVERSE, SHUFFLE, INVCONV = range(3)  # the reference's --flow_permutation


class Layout(Protocol):
    """How a variable of the reference holds one or two tensors of ours."""

    def ours(self, variable: Tensor) -> Sequence[Tensor]:
        """Return our tensors, up to axes of size 1."""

    def theirs(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the variable."""


class Correspondence(NamedTuple):
    """A variable of the reference, and what it is here.

    Args:
        theirs: The name of the variable.
        ours: Names in the model's ``state_dict``.
        layout: How the variable holds them.
        optional: Whether a file may lack the variable, because another one says the same.
    """

    theirs: str
    ours: tuple[str, ...]
    layout: Layout
    optional: bool = False


class Vector:
    """A value per channel, as (1,...,1,C).

    Args:
        ndim: The number of axes of the variable.
    """

    def __init__(self, ndim: int) -> None:
        self.ndim = ndim

    def ours(self, variable: Tensor) -> Sequence[Tensor]:
        """Flatten it."""
        return [variable.flatten()]

    def theirs(self, tensors: Sequence[Tensor]) -> Tensor:
        """Put axes of size 1 before the channels."""
        return tensors[0].view(*[1] * (self.ndim - 1), -1)


class Matrix:
    """A matrix that multiplies rows from the right, (in,out)."""

    def ours(self, variable: Tensor) -> Sequence[Tensor]:
        """Transpose it."""
        return [variable.mT]

    def theirs(self, tensors: Sequence[Tensor]) -> Tensor:
        """Transpose it."""
        return tensors[0].mT


class Kernel:
    """A convolution kernel, (H,W,in,out), for one of (out,in,H,W).

    Where there is an edge indicator, it is the last input channel.
    """

    def ours(self, variable: Tensor) -> Sequence[Tensor]:
        """Reorder the axes."""
        return [variable.permute(3, 2, 0, 1)]

    def theirs(self, tensors: Sequence[Tensor]) -> Tensor:
        """Restore their order."""
        return torch.cat([*tensors], dim=1).permute(2, 3, 1, 0)


class EdgeKernel(Kernel):
    """A ``Kernel`` whose last input channel is the edge indicator, which is a kernel here."""

    def ours(self, variable: Tensor) -> Sequence[Tensor]:
        """Cut off the indicator."""
        [weight] = super().ours(variable)
        return [weight[:, :-1], weight[:, -1:]]


class PriorKernel(Kernel):
    """The kernel of the learned prior, which convolves zeros: only the edge indicator counts."""

    def ours(self, variable: Tensor) -> Sequence[Tensor]:
        """Keep the indicator alone."""
        return [super().ours(variable)[0][:, -1:]]

    def theirs(self, tensors: Sequence[Tensor]) -> Tensor:
        """Put zeros before the indicator."""
        [edge] = tensors
        zeros = edge.new_zeros(len(edge), len(edge), *edge.shape[2:])
        return super().theirs([zeros, edge])


class Order:
    """A permutation, int32.

    Args:
        inverse: Whether the variable is the inverse of ours.
    """

    def __init__(self, *, inverse: bool) -> None:
        self.inverse = inverse

    def ours(self, variable: Tensor) -> Sequence[Tensor]:
        """Return the order as int64."""
        return [variable.long().argsort() if self.inverse else variable.long()]

    def theirs(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the order as int32."""
        return (tensors[0].argsort() if self.inverse else tensors[0]).int()


def correspondences(config: Mapping[str, Any]) -> Iterator[Correspondence]:
    """Yield every variable of a model of the reference.

    Args:
        config: The reference's hyperparameters; see ``build_glow``.
    """
    for level in range(config["n_levels"]):
        for step in range(config["depth"]):
            yield from _step(config, f"model/{level}/{step}", f"flow.levels.{level}.steps.{step}")
    for level in range(config["n_levels"] - 1):
        yield from _zero_conv(f"model/pool{level}/conv", f"flow.splits.{level}.net")
    base = "flow.top.base" if config["ycond"] else "flow.top"
    if config["learntop"]:
        yield Correspondence("model/prior/p/W", (f"{base}.edge_weight",), PriorKernel())
        yield Correspondence("model/prior/p/b", (f"{base}.bias",), Vector(4))
        yield Correspondence("model/prior/p/logs", (f"{base}.log_scale",), Vector(2))
    if config["ycond"]:
        yield from _zero_linear("model/prior/y_emb", "flow.top.shift.linear")
    if config["ycond"] and config["weight_y"] > 0:
        yield from _zero_linear("model/classifier", "flow.top.classifier")


def _step(config: Mapping[str, Any], theirs: str, ours: str) -> Iterator[Correspondence]:
    yield from _actnorm(f"{theirs}/actnorm", f"{ours}.mix.actnorm")
    if config["flow_permutation"] == SHUFFLE:
        order = (f"{ours}.mix.permutation.indices",)
        yield Correspondence(f"{theirs}/shuffle/indices", order, Order(inverse=False))
        name = f"{theirs}/shuffle/indices_inverse"
        yield Correspondence(name, order, Order(inverse=True), optional=True)
    if config["flow_permutation"] == INVCONV:
        yield Correspondence(f"{theirs}/invconv/W", (f"{ours}.mix.linear.weight",), Matrix())
    net = f"{ours}.coupling.net"
    first = (f"{net}.conv_in.weight", f"{net}.conv_in.edge_weight")
    yield Correspondence(f"{theirs}/f1/l_1/W", first, EdgeKernel())
    yield from _actnorm(f"{theirs}/f1/l_1/actnorm", f"{net}.actnorm_in")
    yield Correspondence(f"{theirs}/f1/l_2/W", (f"{net}.conv_mid.weight",), Kernel())
    yield from _actnorm(f"{theirs}/f1/l_2/actnorm", f"{net}.actnorm_mid")
    yield from _zero_conv(f"{theirs}/f1/l_last", f"{net}.conv_out")


def _actnorm(theirs: str, ours: str) -> Iterator[Correspondence]:
    yield Correspondence(f"{theirs}_center/b", (f"{ours}.bias",), Vector(4))
    yield Correspondence(f"{theirs}_scale/logs", (f"{ours}.log_scale",), Vector(4))


def _zero_conv(theirs: str, ours: str) -> Iterator[Correspondence]:
    kernel = (f"{ours}.conv.weight", f"{ours}.conv.edge_weight")
    yield Correspondence(f"{theirs}/W", kernel, EdgeKernel())
    yield Correspondence(f"{theirs}/b", (f"{ours}.conv.bias",), Vector(4))
    yield Correspondence(f"{theirs}/logs", (f"{ours}.log_scale",), Vector(2))


def _zero_linear(theirs: str, ours: str) -> Iterator[Correspondence]:
    yield Correspondence(f"{theirs}/W", (f"{ours}.weight",), Matrix())
    yield Correspondence(f"{theirs}/b", (f"{ours}.bias",), Vector(2))
    yield Correspondence(f"{theirs}/logs", (f"{ours}.log_scale",), Vector(2))
