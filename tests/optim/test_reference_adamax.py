import numpy as np
import pytest
import torch

from glow.optim import ReferenceAdamax


def test_it_is_the_formula_step_by_step() -> None:
    rng = np.random.default_rng(0)
    p = rng.normal(size=7)
    parameter = torch.nn.Parameter(torch.from_numpy(p.copy()))
    optimizer = ReferenceAdamax([parameter], anchors_per_step=512, lr=0.01, beta1=0.9)
    m, u, beta2 = np.zeros(7), np.zeros(7), 1 - 1 / 98
    for t in range(1, 30):
        gradient = rng.normal(size=7) * rng.choice([0.0, 1.0, 10.0], size=7)
        parameter.grad = torch.from_numpy(gradient)
        optimizer.step()
        m = 0.9 * m + 0.1 * gradient
        u = np.maximum(beta2 * u, np.abs(gradient))
        p = p - 0.01 * np.sqrt(1 - beta2**t) / (1 - 0.9**t) * m / (u + 1e-8)
        np.testing.assert_allclose(parameter.detach().numpy(), p, rtol=1e-12)


def test_it_resumes_from_its_state() -> None:
    torch.manual_seed(0)
    gradients = torch.randn(6, 4)

    def run(parameter: torch.Tensor, optimizer: ReferenceAdamax, rows: torch.Tensor) -> None:
        for gradient in rows:
            parameter.grad = gradient
            optimizer.step()

    whole = torch.nn.Parameter(torch.ones(4))
    run(whole, ReferenceAdamax([whole], 5000), gradients)
    first = torch.nn.Parameter(torch.ones(4))
    before = ReferenceAdamax([first], 5000)
    run(first, before, gradients[:3])
    second = torch.nn.Parameter(first.detach().clone())
    after = ReferenceAdamax([second], 5000)
    after.load_state_dict(before.state_dict())
    run(second, after, gradients[3:])
    assert torch.equal(whole, second)


def test_parameters_without_gradient_stay() -> None:
    still, moving = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = ReferenceAdamax([still, moving], 5000)
    moving.sum().backward()
    loss = optimizer.step(lambda: torch.tensor(3.0))
    assert loss == 3.0
    assert torch.equal(still, torch.ones(2))
    assert (moving < 1).all()


@pytest.mark.parametrize(("gpus", "beta2"), [(1, 0.99872), (4, 0.99490), (8, 0.98980), (40, 0.95)])
def test_its_memory_is_one_epoch_of_the_reference(gpus: int, beta2: float) -> None:
    """The values that its formula gives for 64 anchors a GPU."""
    optimizer = ReferenceAdamax([torch.nn.Parameter(torch.ones(1))], anchors_per_step=64 * gpus)
    assert optimizer.param_groups[0]["betas"] == (0.9, pytest.approx(beta2, abs=5e-6))


def test_a_step_without_images_is_told() -> None:
    with pytest.raises(ValueError, match="anchors_per_step must be above 0, got 0"):
        ReferenceAdamax([torch.nn.Parameter(torch.ones(1))], anchors_per_step=0)
