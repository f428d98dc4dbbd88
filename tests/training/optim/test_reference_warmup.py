import pytest

from glow.training.optim import ReferenceWarmup, anchors
from tests.training.optim.schedules import rates, sgd


@pytest.mark.parametrize(
    ("n_images", "side", "n_steps"), [(512, 32, 977), (128, 64, 977), (40, 256, 196)]
)
def test_it_takes_as_many_steps_as_the_reference(n_images: int, side: int, n_steps: int) -> None:
    """For its runs of CIFAR-10 and ImageNet 64 on 8 GPUs, and of CelebA-HQ on 40."""
    factors = rates(ReferenceWarmup(sgd(lr=1.0), anchors(n_images, side, side)), n_steps + 2)
    assert factors[0] == 0
    assert factors[1] == pytest.approx(n_images * side**2 / 32**2 / 500_000)
    assert factors[2] == pytest.approx(2 * factors[1])
    assert factors[n_steps - 1] < 1 == factors[n_steps] == factors[n_steps + 1]


def test_no_warm_up_raises() -> None:
    with pytest.raises(ValueError, match="n_epochs of warm-up must be above 0, got 0"):
        ReferenceWarmup(sgd(lr=1.0), anchors_per_step=64, n_epochs=0)
