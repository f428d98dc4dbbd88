from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from glow.bijections import ActNorm, AdditiveCoupling, AffineCoupling, Coupling, Split
from glow.nets import MLP, CouplingNet, ZeroConv2d
from tests.small_models import net, perturb


def test_the_affine_formula_is_the_reference_s() -> None:
    coupling = perturb(AffineCoupling(4, net))
    x = torch.randn(2, 4, 4, 4)
    y, log_det = coupling(x)
    out = coupling.net(x[:, :2])
    shift, raw = out[:, [0, 2]], out[:, [1, 3]]
    scale = torch.sigmoid(raw + 2)
    assert torch.equal(y[:, :2], x[:, :2])
    torch.testing.assert_close(y[:, 2:], (x[:, 2:] + shift) * scale)
    torch.testing.assert_close(log_det, scale.log().sum(dim=(1, 2, 3)))


def test_couplings_start_without_a_dependence_on_their_input() -> None:
    x = torch.randn(2, 4, 4, 4)
    y, _ = AdditiveCoupling(4, net)(x)
    assert torch.equal(y, x)
    y, log_det = AffineCoupling(4, net)(x)
    torch.testing.assert_close(y[:, 2:], x[:, 2:] * torch.sigmoid(torch.tensor(2.0)))
    torch.testing.assert_close(log_det, 32 * F.logsigmoid(torch.tensor([2.0, 2.0])))


def test_a_scale_that_underflows_keeps_its_log_det() -> None:
    coupling = AffineCoupling(2, net)
    assert isinstance(coupling.net, CouplingNet)
    bias = coupling.net.conv_out.conv.bias
    assert bias is not None
    bias.data[1] = -200.0  # sigmoid(-198) is 0 in float32
    _, log_det = coupling(torch.randn(1, 2, 1, 1))
    assert log_det.item() == pytest.approx(-198.0)


def test_only_the_network_runs_in_lower_precision() -> None:
    seen = []

    class Convolutions(TorchDispatchMode):
        def __torch_dispatch__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if function is torch.ops.aten.convolution.default:
                seen.append({operand.dtype for operand in args[:2]})
            return function(*args, **(kwargs or {}))

    coupling = perturb(AffineCoupling(4, net))
    x = torch.randn(2, 4, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16), Convolutions():
        y, log_det = coupling(x)
    assert seen == [{torch.bfloat16}] * 3
    assert y.dtype == log_det.dtype == torch.float32


def test_the_prior_of_a_split_runs_in_full_precision() -> None:
    split = perturb(Split(4, ZeroConv2d))
    x = torch.randn(2, 4, 4, 4)
    expected = split(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lowered = split(x)
    for ours, theirs in zip(lowered, expected, strict=True):
        assert torch.equal(ours, theirs)


def test_a_network_with_an_actnorm_is_initialized_from_the_half_that_it_sees() -> None:
    class Net(nn.Module):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.norm = ActNorm(in_features)
            self.mlp = MLP(in_features, out_features)

        def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
            out: Tensor = self.mlp(self.norm(x)[0], context)
            return out

        def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
            out: Tensor = self.mlp(self.norm.initialize(x), context)
            return out

    coupling = AffineCoupling(4, Net)
    x = torch.randn(50, 4) + torch.tensor([3.0, 4.0, 5.0, 6.0])
    coupling.initialize(x)
    assert isinstance(coupling.net, Net)
    torch.testing.assert_close(coupling.net.norm.bias, -x[:, :2].mean(0))


@pytest.mark.parametrize("make", [AdditiveCoupling, AffineCoupling, Split])
def test_an_odd_number_of_channels_raises(make: type[Coupling]) -> None:
    with pytest.raises(ValueError, match="must be even, got 7; the nearest valid number is 6"):
        make(7, net)
