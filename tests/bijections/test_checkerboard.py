import pytest
import torch
from torch import Tensor, nn

from glow.bijections import AffineCoupling, Chain, Checkerboard, Inverse, Squeeze
from tests.small_models import affine, perturb


def colors(height: int, width: int) -> Tensor:
    """Return a checkerboard of 0 and 1, whose top left corner is 0."""
    return (torch.arange(height)[:, None] + torch.arange(width)) % 2


@pytest.mark.parametrize("channels", [1, 3])
def test_the_halves_are_the_colors(channels: int) -> None:
    board = colors(4, 6).expand(1, channels, 4, 6)
    y, _ = Chain(Squeeze(), Checkerboard(4 * channels))(board)
    first, second = y.chunk(2, dim=1)
    assert (first == 0).all()
    assert (second == 1).all()


@pytest.mark.parametrize("channels", [1, 2])
def test_a_coupling_of_the_halves_is_one_with_a_mask(channels: int) -> None:
    """``y = b x + (1 - b) (x + shift(b x)) * scale(b x)``; Dinh et al. 2017, equation 9."""
    coupling = perturb(affine(4 * channels)).double()
    fold = Chain(Squeeze(), Checkerboard(4 * channels))
    x = torch.randn(3, channels, 4, 6, dtype=torch.float64)
    mask = 1 - colors(4, 6)
    folded, _ = fold(x)
    y, log_det = Chain(fold, coupling, Inverse(fold))(x)

    class Masked(nn.Module):
        """The network of the coupling, as one of masked images."""

        def forward(self, masked: Tensor) -> tuple[Tensor, Tensor]:
            x_a, nothing = fold(masked)[0].chunk(2, dim=1)
            assert not nothing.any()
            raw = coupling.net(x_a).movedim(1, -1).unflatten(-1, (-1, 2))
            shift, raw_scale = (part.movedim(-1, 1) for part in raw.unbind(-1))
            log_scale = coupling.scale_map(raw_scale)
            images = [fold.inverse(torch.cat([0 * p, p], dim=1)) for p in (shift, log_scale)]
            return images[0], images[1]

    shift, log_scale = Masked()(mask * x)
    expected = mask * x + (1 - mask) * (x + shift) * log_scale.exp()
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(log_det, ((1 - mask) * log_scale).flatten(1).sum(1))
    assert isinstance(coupling, AffineCoupling)
    assert not torch.equal(folded, x.reshape(folded.shape))


def test_channels_that_were_not_squeezed_raise() -> None:
    with pytest.raises(ValueError, match="a multiple of 4, got 6"):
        Checkerboard(6)
