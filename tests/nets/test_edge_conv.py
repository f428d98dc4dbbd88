import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from glow.nets import EdgeConv2d, ZeroConv2d
from glow.nets.edge_conv import convolve
from tests.small_models import perturb


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 7), st.sampled_from([1, 3, 5]))
def test_it_is_a_convolution_with_an_indicator_channel(
    channels: int, height: int, width: int, kernel_size: int
) -> None:
    conv = EdgeConv2d(channels, 2, kernel_size).double()
    assert conv.edge_weight is not None
    torch.nn.init.normal_(conv.edge_weight)
    x = torch.randn(2, channels, height, width, dtype=torch.float64)
    margin = (kernel_size // 2,) * 4
    indicator = F.pad(torch.zeros_like(x[:, :1]), margin, value=1.0)
    padded = torch.cat([F.pad(x, margin), indicator], dim=1)
    expected = F.conv2d(padded, torch.cat([conv.weight, conv.edge_weight], dim=1), conv.bias)
    torch.testing.assert_close(conv(x), expected)


def test_without_the_indicator_it_is_a_plain_convolution() -> None:
    conv = EdgeConv2d(2, 3, edge_indicator=False)
    x = torch.randn(2, 2, 4, 4)
    assert sorted(conv.state_dict()) == ["bias", "weight"]
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, conv.bias, padding=1))


def test_convolutions_are_folded_together() -> None:
    """With what follows each of them, at once, as one by one."""
    convs = [EdgeConv2d(2, 3).double() for _ in range(4)]
    for conv in convs:
        perturb(conv, 1.0)
    x, scale, shift = torch.randn(5, 2, 4, 6).double(), torch.randn(4, 3), torch.randn(4, 3)
    kernels = EdgeConv2d.stack(convs).then(scale.double(), shift.double())
    for k, (conv, *folded) in enumerate(zip(convs, *kernels.folded((4, 6)), strict=True)):
        expected = conv(x) * scale[k].view(3, 1, 1) + shift[k].view(3, 1, 1)
        torch.testing.assert_close(convolve(x, *folded), expected)
        alone = conv.folded(scale[k].double(), shift[k].double())
        torch.testing.assert_close(alone(x), expected.detach())


def test_a_zero_conv_starts_at_zero_and_its_scale_grows_as_exp_3() -> None:
    conv = ZeroConv2d(2, 3)
    x = torch.randn(2, 2, 4, 4)
    assert torch.equal(conv(x), torch.zeros(2, 3, 4, 4))
    assert conv.conv.bias is not None
    conv.conv.bias.data.fill_(1.0)
    conv.log_scale.data.fill_(0.5)
    torch.testing.assert_close(conv(x), torch.full((2, 3, 4, 4), 1.5).exp())
