import pytest
import torch

from glow.data.split import split_indices


def test_splits_are_disjoint_complete_and_always_the_same() -> None:
    splits = split_indices(50, {"test": 10, "val": 5})
    assert {split: len(i) for split, i in splits.items()} == {"test": 10, "val": 5, "train": 35}
    assert sorted(torch.cat(list(splits.values())).tolist()) == list(range(50))
    assert splits["test"].tolist() != list(range(10))
    torch.manual_seed(9)
    again = split_indices(50, {"test": 10, "val": 5})
    assert all(torch.equal(indices, again[split]) for split, indices in splits.items())
    assert split_indices(5, {})["train"].sort().values.tolist() == list(range(5))


@pytest.mark.parametrize("size", [3, -1])
def test_a_negative_size_or_one_that_leaves_no_training_image_raises(size: int) -> None:
    with pytest.raises(ValueError, match=f"leave some of the 3 training images, got val={size}"):
        split_indices(3, {"val": size})
