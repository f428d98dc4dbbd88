import pytest
import torch

from glow.nets import LabelEmbedding
from tests.small_models import perturb


def test_every_class_has_its_features() -> None:
    embedding = LabelEmbedding(3, 5)
    labels = torch.tensor([2, 0, 2])
    assert torch.equal(embedding(labels, 3), torch.zeros(3, 5))
    perturb(embedding)
    features = embedding(labels, 3)
    assert torch.equal(features[0], features[2])
    assert not torch.equal(features[0], features[1])
    assert torch.equal(embedding(labels.int(), 3), features)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "needs labels, one integer from 0 to 2 for each of the 2 images"),
        (torch.tensor([1]), r"got torch.int64 of shape \(1,\)"),
        (torch.tensor([1.0, 2.0]), "got torch.float32"),
        (torch.tensor([-1, 2]), "got -1 to 2"),
        (torch.tensor([1, 3]), "got 1 to 3"),
    ],
)
def test_wrong_labels_raise(labels: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LabelEmbedding(3, 5)(labels, 2)
