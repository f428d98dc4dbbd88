import numpy as np
import pytest
import torch

from glow.optim import ReferenceAdamax


def test_it_is_the_formula_step_by_step() -> None:
    rng = np.random.default_rng(0)
    p = rng.normal(size=7)
    parameter = torch.nn.Parameter(torch.from_numpy(p.copy()))
    optimizer = ReferenceAdamax([parameter], steps_per_epoch=98, lr=0.01, beta1=0.9)
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
    run(whole, ReferenceAdamax([whole], 10), gradients)
    first = torch.nn.Parameter(torch.ones(4))
    before = ReferenceAdamax([first], 10)
    run(first, before, gradients[:3])
    second = torch.nn.Parameter(first.detach().clone())
    after = ReferenceAdamax([second], 10)
    after.load_state_dict(before.state_dict())
    run(second, after, gradients[3:])
    assert torch.equal(whole, second)


def test_parameters_without_gradient_stay() -> None:
    still, moving = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = ReferenceAdamax([still, moving], 10)
    moving.sum().backward()
    loss = optimizer.step(lambda: torch.tensor(3.0))
    assert loss == 3.0
    assert torch.equal(still, torch.ones(2))
    assert (moving < 1).all()


def test_an_epoch_without_steps_is_told() -> None:
    with pytest.raises(ValueError, match=r"steps_per_epoch must be at least 1, got 0\.5"):
        ReferenceAdamax([torch.nn.Parameter(torch.ones(1))], steps_per_epoch=0.5)
