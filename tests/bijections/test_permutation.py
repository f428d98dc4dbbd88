import torch

from glow.bijections import ReversePermutation, ShufflePermutation


def test_reverse_reverses() -> None:
    x = torch.arange(4.0).view(1, 4, 1, 1)
    y, _ = ReversePermutation(4)(x)
    assert y.flatten().tolist() == [3, 2, 1, 0]


def test_the_shuffle_depends_on_the_seed_and_is_a_buffer() -> None:
    torch.manual_seed(0)
    first = ShufflePermutation(16)
    second = ShufflePermutation(16)
    torch.manual_seed(0)
    again = ShufflePermutation(16)
    assert torch.equal(first.indices, again.indices)
    assert not torch.equal(first.indices, second.indices)
    assert sorted(first.indices.tolist()) == list(range(16))
    assert list(first.state_dict()) == ["indices"]
