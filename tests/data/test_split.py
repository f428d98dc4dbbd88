import pytest
import torch

from glow.data.split import cut


def test_parts_are_disjoint_whole_and_always_the_same() -> None:
    parts = cut(50, {"test": 10, "val": 5})
    assert {name: len(part) for name, part in parts.items()} == {"test": 10, "val": 5, "train": 35}
    assert sorted(torch.cat(list(parts.values())).tolist()) == list(range(50))
    assert parts["test"].tolist() != list(range(10))
    torch.manual_seed(9)
    assert all(torch.equal(part, cut(50, {"test": 10, "val": 5})[n]) for n, part in parts.items())
    assert cut(5, {})["train"].sort().values.tolist() == list(range(5))


def test_something_must_be_left_for_training() -> None:
    with pytest.raises(ValueError, match="3 for val cannot be cut from 3 training images"):
        cut(3, {"val": 3})
    with pytest.raises(ValueError, match="-1 for val cannot be cut"):
        cut(3, {"val": -1})
