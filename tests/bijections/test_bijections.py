"""What every bijection promises, with the autograd Jacobian as the oracle."""

import pytest
import torch
from torch import Tensor

from glow.bijections import Bijection, freeze
from tests.bijections.table import BATCH, TABLE, example, make

pytestmark = pytest.mark.parametrize("name", TABLE)


def jacobian(bijection: Bijection, x: Tensor, context: Tensor | None, number: int) -> Tensor:
    """Return dy/dx of one example of the batch, (D,D)."""

    def f(one: Tensor) -> Tensor:
        batch = torch.cat([x[:number], one[None], x[number + 1 :]])
        y, _ = bijection(batch, context)
        return y[number].flatten()

    size = x[0].numel()
    return torch.autograd.functional.jacobian(f, x[number]).reshape(size, size)


def test_inverse_undoes_forward(name: str) -> None:
    bijection, (x, context) = make(name), example(name)
    y, _ = bijection(x, context)
    torch.testing.assert_close(bijection.inverse(y, context), x)


def test_forward_undoes_inverse(name: str) -> None:
    bijection, (x, context) = make(name), example(name)
    y = torch.randn_like(bijection(x, context)[0])
    torch.testing.assert_close(bijection(bijection.inverse(y, context), context)[0], y)


def test_log_det_is_that_of_the_jacobian(name: str) -> None:
    bijection, (x, context) = make(name), example(name)
    _, log_det = bijection(x, context)
    assert log_det.shape == (BATCH,)
    for number in range(BATCH):
        expected = torch.linalg.slogdet(jacobian(bijection, x, context, number)).logabsdet
        torch.testing.assert_close(log_det[number], expected)


def test_an_example_does_not_depend_on_the_rest_of_its_batch(name: str) -> None:
    bijection, (x, context) = make(name), example(name)
    y, log_det = bijection(x, context)
    others = torch.cat([x[:2], torch.randn_like(x[2:])])
    y_again, log_det_again = bijection(others, context)
    assert torch.equal(y[:2], y_again[:2])
    assert torch.equal(log_det[:2], log_det_again[:2])


def test_the_context_matters_where_there_is_one(name: str) -> None:
    bijection, (x, context) = make(name), example(name)
    if context is None:
        # A bijection that has no use for a context ignores it.
        for without, given in zip(
            bijection(x), bijection(x, torch.zeros(BATCH).long()), strict=True
        ):
            assert torch.equal(without, given)
    else:
        y, _ = bijection(x, context)
        assert not torch.equal(bijection(x, 1 - context)[0], y)


def test_float32_agrees_with_float64(name: str) -> None:
    bijection, (x, context) = make(name), example(name)
    rounded = make(name).float()
    (y, log_det), (y_rounded, log_det_rounded) = bijection(x, context), rounded(x.float(), context)
    torch.testing.assert_close(y_rounded.double(), y, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(log_det_rounded.double(), log_det, rtol=1e-4, atol=1e-4)
    again = rounded.inverse(y_rounded, context)
    torch.testing.assert_close(again.double(), x, rtol=1e-4, atol=1e-4)


def test_the_log_det_is_float32_for_float32_and_the_input_is_not_modified(name: str) -> None:
    bijection, (x, context) = make(name).float(), example(name)
    x = x.float()
    before = x.clone()
    y, log_det = bijection(x, context)
    assert y.dtype == log_det.dtype == torch.float32
    assert torch.equal(x, before)


def test_gradients_reach_every_parameter(name: str) -> None:
    bijection, (x, context) = make(name), example(name)
    y, log_det = bijection(x.requires_grad_(), context)
    # Weights, because a rotation does not change the sum of squares.
    ((torch.rand_like(y) * y.square()).sum() + log_det.sum()).backward()
    for parameter_name, parameter in bijection.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name


def test_gradients_pass_through_the_inverse(name: str) -> None:
    """Whatever the parameters are, the inverse followed by the map is the identity."""
    bijection, (x, context) = make(name), example(name)
    y = bijection(x, context)[0].detach().requires_grad_()
    direction = torch.randn_like(y)
    again, _ = bijection(bijection.inverse(y, context), context)
    of_y, *of_parameters = torch.autograd.grad(again, (y, *bijection.parameters()), direction)
    torch.testing.assert_close(of_y, direction)
    for (parameter_name, _), gradient in zip(
        bijection.named_parameters(), of_parameters, strict=True
    ):
        torch.testing.assert_close(
            gradient, torch.zeros_like(gradient), rtol=0, atol=1e-6, msg=parameter_name
        )


def test_the_state_dict_is_the_whole_state(name: str) -> None:
    bijection, other, (x, context) = make(name, seed=0), make(name, seed=1), example(name)
    other.load_state_dict(bijection.state_dict())
    for ours, theirs in zip(bijection(x, context), other(x, context), strict=True):
        assert torch.equal(ours, theirs)
    y, _ = bijection(x, context)
    assert torch.equal(bijection.inverse(y, context), other.inverse(y, context))


def test_a_frozen_copy_computes_the_same(name: str) -> None:
    bijection, (x, context) = make(name), example(name)
    frozen = freeze(bijection)
    y, log_det = bijection(x, context)
    torch.testing.assert_close(frozen(x, context)[0], y.detach())
    torch.testing.assert_close(frozen(x, context)[1], log_det.detach())
    torch.testing.assert_close(frozen.inverse(y, context), bijection.inverse(y, context).detach())


def test_initialization_returns_what_the_initialized_bijection_does(name: str) -> None:
    bijection, (x, context) = TABLE[name].make().double(), example(name)
    with torch.no_grad():
        y = bijection.initialize(x, context)
    torch.testing.assert_close(y, bijection(x, context)[0])


def test_it_can_be_built_on_the_meta_device(name: str) -> None:
    with torch.device("meta"):
        TABLE[name].make()
