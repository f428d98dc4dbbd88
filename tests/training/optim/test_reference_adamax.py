from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from glow.training.optim import ReferenceAdamax
from tests.counting import Kernels


def reference(
    p: NDArray[np.float64], gradients: list[NDArray[np.float64]], eps: float
) -> NDArray[np.float64]:
    """Return the parameters after steps of the reference's formula, with eps outside the max."""
    m, u, beta2 = np.zeros(7), np.zeros(7), 1 - 1 / 98
    for t, gradient in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * gradient
        u = np.maximum(beta2 * u, np.abs(gradient))
        p = p - 0.01 * np.sqrt(1 - beta2**t) / (1 - 0.9**t) * m / (u + eps)
    return p


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize(("eps", "rtol"), [(0.0, 1e-12), (1e-8, 1e-7)])
def test_it_is_the_reference_s_formula(*, eps: float, rtol: float, foreach: bool) -> None:
    """Exactly, up to where eps is added."""
    rng = np.random.default_rng(0)
    p = rng.normal(size=7)
    gradients = [rng.normal(size=7) * rng.choice([0.1, 1.0, 10.0], size=7) for _ in range(29)]
    parameter = torch.nn.Parameter(torch.from_numpy(p.copy()))
    optimizer = ReferenceAdamax(
        [parameter], anchors_per_step=512, lr=0.01, beta1=0.9, eps=eps, foreach=foreach
    )
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient)
        optimizer.step()
    expected = reference(p, gradients, eps)
    np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=rtol)
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_it_starts_no_more_kernels_than_adamax() -> None:
    counts = []
    for make in (torch.optim.Adamax, partial(ReferenceAdamax, anchors_per_step=512)):
        parameters = [torch.nn.Parameter(torch.ones(3)) for _ in range(5)]
        optimizer = make(parameters)
        for _ in range(2):  # the first step makes the state
            for parameter in parameters:
                parameter.grad = torch.ones(3)
            with Kernels() as counted:
                optimizer.step()
        counts.append(len(counted.names))
    assert counts[1] <= counts[0]


def test_a_gradient_of_zero_changes_nothing() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = ReferenceAdamax([parameter], anchors_per_step=512)
    parameter.grad = torch.zeros(3)
    optimizer.step()
    assert torch.equal(parameter, torch.ones(3))


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


def test_a_step_without_images_raises() -> None:
    with pytest.raises(ValueError, match="anchors_per_step must be above 0, got 0"):
        ReferenceAdamax([torch.nn.Parameter(torch.ones(1))], anchors_per_step=0)


def test_small_parameters_are_updated_together() -> None:
    small = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    large = [torch.nn.Parameter(torch.ones(10**5))]
    for parameters, foreach in ((small, True), (large, None)):
        optimizer = ReferenceAdamax(parameters, anchors_per_step=512)
        assert optimizer.param_groups[0]["foreach"] is foreach
    chosen = ReferenceAdamax(small, anchors_per_step=512, foreach=False)
    assert chosen.param_groups[0]["foreach"] is False
