import pytest
import torch

from glow.likelihood import standard_normal_log_prob
from glow.models import ClassConditionalPrior, LearnedPrior, StandardPrior
from tests.small_models import perturb


def test_gaussianizing_adds_the_log_density_of_the_gaussian() -> None:
    prior = perturb(LearnedPrior(3).double())
    z = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    eps, log_det = prior(z)
    mean, log_std = prior.mean_and_log_std(z, None)
    expected = torch.distributions.Normal(mean, log_std.exp()).log_prob(z).sum(dim=(1, 2, 3))
    torch.testing.assert_close(standard_normal_log_prob([eps]) + log_det, expected)


def test_the_standard_prior_changes_nothing() -> None:
    z = torch.randn(2, 3, 4, 4)
    eps, log_det = StandardPrior(3)(z)
    assert torch.equal(eps, z)
    assert torch.equal(log_det, torch.zeros(2))


def test_the_class_shifts_the_prior() -> None:
    prior = perturb(ClassConditionalPrior(3, n_classes=10))
    z = torch.randn(1, 3, 4, 4).expand(2, -1, -1, -1)
    eps, log_det = prior(z, torch.tensor([3, 7]))
    assert not torch.equal(eps[0], eps[1])
    assert log_det[0] != log_det[1]


def test_the_classifier_reads_the_spatial_mean() -> None:
    prior = perturb(ClassConditionalPrior(3, n_classes=10, classification_weight=0.5).double())
    z, labels = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.tensor([3, 7])
    eps, _ = prior(z, labels)
    expected = 0.5 * torch.nn.functional.cross_entropy(
        prior.class_logits(z), labels, reduction="none"
    )
    torch.testing.assert_close(prior.classification_loss(eps, labels), expected)
    assert prior.class_logits(z).shape == (2, 10)


def test_without_a_classifier_the_loss_is_zero() -> None:
    for prior in (LearnedPrior(3), ClassConditionalPrior(3, n_classes=10)):
        loss = prior.classification_loss(torch.randn(2, 3, 4, 4), torch.tensor([1, 2]))
        assert torch.equal(loss, torch.zeros(2))
    with pytest.raises(ValueError, match="classification_weight > 0"):
        ClassConditionalPrior(3, n_classes=10).class_logits(torch.randn(2, 3, 4, 4))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "needs labels, one integer from 0 to 9 for each of the 2 images"),
        (torch.tensor([1, 2, 3]), r"got torch.int64 of shape \(3,\)"),
        (torch.tensor([1.0, 2.0]), "got torch.float32"),
        (torch.tensor([1, 10]), "got 1 to 10"),
    ],
)
def test_wrong_labels_raise(labels: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassConditionalPrior(3, n_classes=10)(torch.randn(2, 3, 4, 4), labels)


def test_no_classes_raise() -> None:
    with pytest.raises(ValueError, match="at least 1 class, but the data has n_classes=0"):
        ClassConditionalPrior(3, n_classes=0)
