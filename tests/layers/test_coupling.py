import pytest
import torch
from torch.nn import functional as F

from glow.layers import AdditiveCoupling, AffineCoupling, CouplingNet, Split
from tests.bijections import net, perturb


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


def test_couplings_start_without_looking_at_their_input() -> None:
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
    coupling = perturb(AffineCoupling(4, net))
    assert isinstance(coupling.net, CouplingNet)
    seen = []
    coupling.net.conv_mid.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    x = torch.randn(2, 4, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, log_det = coupling(x)
    assert seen == [torch.bfloat16]
    assert y.dtype == log_det.dtype == torch.float32


@pytest.mark.parametrize("make", [AdditiveCoupling, AffineCoupling, Split])
def test_an_odd_number_of_channels_is_refused(make: type) -> None:
    with pytest.raises(ValueError, match="got 7; the nearest legal number is 6"):
        make(7)
