import torch

from glow.bijections import Squeeze


def test_blocks_become_channels_in_reading_order() -> None:
    x = torch.tensor([[1, 2, 5, 6], [3, 4, 7, 8]]).view(1, 1, 2, 4)
    y, _ = Squeeze()(x)
    assert y.flatten(2).tolist() == [[[1, 5], [2, 6], [3, 7], [4, 8]]]


def test_a_channel_stays_together() -> None:
    x = torch.stack([torch.zeros(4, 4), torch.ones(4, 4)])[None]
    y, _ = Squeeze()(x)
    assert y.shape == (1, 8, 2, 2)
    assert y[0, :, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
