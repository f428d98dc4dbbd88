import pytest
import torch

from glow.bijections import Columns, Positions, Rescaling, Squeeze, SwapPermutation


def test_blocks_become_channels_in_reading_order() -> None:
    x = torch.tensor([[1, 2, 5, 6], [3, 4, 7, 8]]).view(1, 1, 2, 4)
    y, _ = Squeeze()(x)
    assert y.flatten(2).tolist() == [[[1, 5], [2, 6], [3, 7], [4, 8]]]


def test_a_channel_stays_together() -> None:
    x = torch.stack([torch.zeros(4, 4), torch.ones(4, 4)])[None]
    y, _ = Squeeze()(x)
    assert y.shape == (1, 8, 2, 2)
    assert y[0, :, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_positions_that_a_pattern_does_not_halve_raise() -> None:
    for pattern, size in (("checkerboard", (3, 3)), ("columns", (2, 3)), ("rows", (3, 2))):
        with pytest.raises(ValueError, match=f"{pattern} do not halve {size[0]}x{size[1]}"):
            Positions(*size, pattern)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pattern must be checkerboard, columns, rows, got dots"):
        Positions(2, 2, "dots")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"even number of channels at 4 positions, got \(1, 3"):
        Positions(2, 2)(torch.zeros(1, 3, 2, 2))


def test_columns_of_an_odd_width_and_blocks_that_do_not_fit_raise() -> None:
    with pytest.raises(ValueError, match=r"of an even width, got \(1, 1, 2, 3\)"):
        Columns()(torch.zeros(1, 1, 2, 3))
    with pytest.raises(ValueError, match=r"of sides that 4 divides, got \(1, 1, 6, 8\)"):
        Squeeze(4)(torch.zeros(1, 1, 6, 8))
    with pytest.raises(ValueError, match="factor must be at least 1, got 0"):
        Squeeze(0)
    with pytest.raises(ValueError, match="only an even number of channels has two halves, got 3"):
        SwapPermutation(3)
    with pytest.raises(ValueError, match="a factor of 0 has no inverse"):
        Rescaling(0.0)
