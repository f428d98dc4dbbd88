"""What every bijection promises, with the autograd Jacobian as the oracle."""

import pytest
import torch
from torch import Tensor

from glow.layers import Bijection
from tests.bijections import BATCH, BIJECTIONS, SHAPE, make

pytestmark = pytest.mark.parametrize("name", BIJECTIONS)


def input_of(name: str) -> Tensor:
    shape = (1, 4, 8) if name == "flow of two levels" else SHAPE
    return torch.randn(BATCH, *shape, dtype=torch.float64)


def jacobian(bijection: Bijection, x: Tensor, example: int) -> Tensor:
    """Return dy/dx of one example of the batch, (D,D)."""

    def f(image: Tensor) -> Tensor:
        batch = torch.cat([x[:example], image[None], x[example + 1 :]])
        y, _ = bijection(batch)
        return y[example].flatten()

    size = x[0].numel()
    return torch.autograd.functional.jacobian(f, x[example]).reshape(size, size)


def test_inverse_undoes_forward(name: str) -> None:
    bijection, x = make(name), input_of(name)
    y, _ = bijection(x)
    torch.testing.assert_close(bijection.inverse(y), x)


def test_forward_undoes_inverse(name: str) -> None:
    bijection, x = make(name), input_of(name)
    y = torch.randn_like(bijection(x)[0])
    torch.testing.assert_close(bijection(bijection.inverse(y))[0], y)


def test_log_det_is_that_of_the_jacobian(name: str) -> None:
    bijection, x = make(name), input_of(name)
    _, log_det = bijection(x)
    assert log_det.shape == (BATCH,)
    for example in range(BATCH):
        expected = torch.linalg.slogdet(jacobian(bijection, x, example)).logabsdet
        torch.testing.assert_close(log_det[example], expected)


def test_an_image_is_independent_of_its_batch_mates(name: str) -> None:
    bijection, x = make(name), input_of(name)
    y, log_det = bijection(x)
    others = torch.cat([x[:2], torch.randn_like(x[2:])])
    y_again, log_det_again = bijection(others)
    assert torch.equal(y[:2], y_again[:2])
    assert torch.equal(log_det[:2], log_det_again[:2])


def test_the_log_det_is_float32_for_float32_and_the_input_stays_as_it_is(name: str) -> None:
    bijection, x = make(name).float(), input_of(name).float()
    before = x.clone()
    y, log_det = bijection(x)
    assert y.dtype == log_det.dtype == torch.float32
    assert torch.equal(x, before)


def test_gradients_reach_every_parameter(name: str) -> None:
    bijection, x = make(name), input_of(name).requires_grad_()
    y, log_det = bijection(x)
    (y.square().sum() + log_det.sum()).backward()
    for parameter_name, parameter in bijection.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name


def test_the_state_dict_is_the_whole_state(name: str) -> None:
    bijection, other, x = make(name, seed=0), make(name, seed=1), input_of(name)
    other.load_state_dict(bijection.state_dict())
    for ours, theirs in zip(bijection(x), other(x), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(bijection.inverse(bijection(x)[0]), other.inverse(other(x)[0]))


def test_it_can_be_built_on_the_meta_device(name: str) -> None:
    with torch.device("meta"):
        BIJECTIONS[name]()
