import torch
from torch.nn import functional as F

from glow.nets import CouplingNet
from tests.small_models import perturb


def test_it_is_its_layers_one_after_the_other() -> None:
    """Written out with the library, with the edge indicator as a channel."""
    net = perturb(CouplingNet(3, 4, width=7).double(), 0.3)
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    margins = (1, 1, 1, 1)

    def with_indicator(images: torch.Tensor) -> torch.Tensor:
        inside = torch.zeros_like(images[:, :1])
        return torch.cat([F.pad(images, margins), F.pad(inside, margins, value=1.0)], dim=1)

    def weight_of(conv: torch.nn.Module) -> torch.Tensor:
        return torch.cat([conv.weight, conv.edge_weight], dim=1)  # type: ignore[list-item]

    hidden, _ = net.actnorm_in(F.conv2d(with_indicator(x), weight_of(net.conv_in)))
    hidden, _ = net.actnorm_mid(F.conv2d(hidden.relu(), net.conv_mid.weight))
    last = net.conv_out
    out = F.conv2d(with_indicator(hidden.relu()), weight_of(last.conv), last.conv.bias)
    out = out * (last.log_scale_factor * last.log_scale).exp().view(-1, 1, 1)
    torch.testing.assert_close(net(x), out)
    torch.testing.assert_close(net.frozen()(x), out.detach())


def test_initialization_normalizes_the_hidden_layers() -> None:
    net = CouplingNet(3, 4, width=7).double()
    x = 5 + 2 * torch.randn(8, 3, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        out = net.initialize(x)
    torch.testing.assert_close(out, net(x))
    hidden = x
    for conv, actnorm in ((net.conv_in, net.actnorm_in), (net.conv_mid, net.actnorm_mid)):
        assert actnorm.initialized
        normal, _ = actnorm(conv(hidden))
        assert normal.mean(dim=(0, 2, 3)).abs().max() < 1e-9
        torch.testing.assert_close(
            normal.var(dim=(0, 2, 3), correction=0), torch.ones(7).double(), rtol=1e-3, atol=0
        )
        hidden = normal.relu()


def test_labels_shift_the_hidden_layer() -> None:
    net = CouplingNet(2, 4, width=7, n_classes=3)
    x = torch.randn(1, 2, 4, 4).expand(3, -1, -1, -1)
    labels = torch.arange(3)
    assert torch.equal(net(x, labels), CouplingNet(2, 4, width=7)(x))  # both start at 0
    perturb(net)
    out = net(x, labels)
    assert not torch.equal(out[0], out[1])
    torch.testing.assert_close(net(x, torch.tensor([1, 1, 1]))[0], out[1])
    torch.testing.assert_close(net.frozen()(x, labels), out.detach())
