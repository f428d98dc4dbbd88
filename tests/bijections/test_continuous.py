from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from glow.bijections import FFJORD, ContinuousFlow
from glow.nets import MLP
from tests.small_models import perturb

smooth = partial(MLP, width=8, activation=torch.tanh)
exact = partial(ContinuousFlow, tolerance=1e-10)


class Linear(nn.Module):
    """A linear field ``v = A x``, whose flow is known."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(out_features, out_features))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return x[:, :-1] @ self.matrix.T


def flow_of(make: Callable[..., ContinuousFlow]) -> ContinuousFlow:
    torch.manual_seed(0)
    return perturb(make(3, smooth).double(), 0.5)


def points(n: int = 4) -> Tensor:
    return torch.randn(n, 3, dtype=torch.float64)


def test_it_starts_as_the_identity() -> None:
    x = torch.randn(4, 3)
    y, log_det = ContinuousFlow(3, smooth)(x)
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(log_det, torch.zeros(4))


def test_a_linear_field_is_the_exponential_of_its_matrix() -> None:
    flow = exact(3, Linear).double()
    assert isinstance(flow.net, Linear)
    x = points()
    y, log_det = flow(x)
    torch.testing.assert_close(y, x @ torch.linalg.matrix_exp(flow.net.matrix).T)
    torch.testing.assert_close(log_det, flow.net.matrix.diagonal().sum().expand(4))


def test_an_adaptive_solver_is_a_bijection_up_to_its_tolerance() -> None:
    flow, x = flow_of(partial(exact, adjoint=False)), points(2)
    y, log_det = flow(x)
    assert (y - x).abs().max() > 0.1
    torch.testing.assert_close(flow.inverse(y), x)
    for i in range(2):
        jacobian = torch.autograd.functional.jacobian(lambda one: flow(one[None])[0][0], x[i])
        torch.testing.assert_close(log_det[i], torch.linalg.slogdet(jacobian).logabsdet)


def test_the_error_of_an_adaptive_solver_follows_its_tolerance() -> None:
    x = points()
    y, log_det = flow_of(exact)(x)
    for tolerance in (1e-3, 1e-5, 1e-7):
        flow = flow_of(partial(ContinuousFlow, tolerance=tolerance))
        found, found_log_det = flow(x)
        assert (found - y).abs().max() < 30 * tolerance
        assert (found_log_det - log_det).abs().max() < 30 * tolerance
        assert (flow.inverse(found) - x).abs().max() < 30 * tolerance


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_the_error_of_fixed_steps_falls_with_the_order_of_the_solver(
    solver: str, order: int
) -> None:
    x = points()
    with torch.no_grad():
        y, log_det = flow_of(exact)(x)
        errors = []
        for n_steps in (8, 16):
            flow = flow_of(partial(ContinuousFlow, solver=solver, n_steps=n_steps))
            found, found_log_det = flow(x)
            round_trip = flow.inverse(found) - x
            differences = (found - y, found_log_det - log_det, round_trip)
            errors.append([float(d.abs().max()) for d in differences])
    for coarse, fine in zip(*errors, strict=True):
        assert fine < 0.65 * coarse * 2.0 ** (1 - order)


@pytest.mark.slow
@pytest.mark.parametrize("make", [exact, partial(FFJORD, tolerance=1e-10)])
def test_the_adjoint_has_the_gradients_of_the_solver(make: partial[ContinuousFlow]) -> None:
    class Pushed(nn.Module):
        """A field that a context of features pushes."""

        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.field = smooth(in_features, out_features)

        def forward(self, x: Tensor, context: Tensor) -> Tensor:
            out: Tensor = self.field(x * context)
            return out

    found = []
    for adjoint in (True, False):
        torch.manual_seed(0)
        flow = perturb(make(3, Pushed, adjoint=adjoint).double(), 0.5)
        x = points().requires_grad_()
        context = torch.rand(4, 4, dtype=torch.float64, requires_grad=True)
        torch.manual_seed(1)
        y, log_det = flow(x, context)
        back = flow.inverse(y, 2 * context)
        loss = y.square().sum() + 3 * log_det.square().sum() + back.square().sum()
        found.append(torch.autograd.grad(loss, (x, context, *flow.parameters())))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_without_gradients_nothing_is_recorded() -> None:
    for make in (ContinuousFlow, FFJORD):
        with torch.no_grad():
            y, log_det = flow_of(make)(points())
        assert not y.requires_grad
        assert not log_det.requires_grad


def test_hutchinson_s_estimate_has_the_exact_log_det_as_its_mean() -> None:
    x = points(1)
    with torch.no_grad():
        y, log_det = flow_of(partial(ContinuousFlow, tolerance=1e-6))(x)
        many = x.expand(4000, -1)
        y_estimated, estimates = flow_of(partial(FFJORD, tolerance=1e-6))(many)
    torch.testing.assert_close(y_estimated, y.expand(4000, -1), rtol=0, atol=1e-5)
    standard_error = estimates.std() / 4000**0.5
    assert estimates.std() > 0.01
    assert (estimates.mean() - log_det).abs() < 4 * standard_error


def test_hutchinson_s_estimate_is_random_and_fixed_while_it_integrates() -> None:
    flow, x = flow_of(partial(FFJORD, solver="rk4", n_steps=4)), points()
    first, second = flow(x)[1], flow(x)[1]
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    signs = torch.randint_like(x, 2) * 2 - 1
    torch.manual_seed(3)
    _, log_det = flow(x)

    class Along(ContinuousFlow):
        """The same field, with ``e^T J e`` of given e, by the whole Jacobian."""

        def trace(self, x: Tensor):  # type: ignore[no-untyped-def]  # noqa: ANN202
            def product(v: Tensor, at: Tensor, create_graph: bool) -> Tensor:  # noqa: FBT001
                rows = [
                    torch.autograd.grad(v[:, i].sum(), at, retain_graph=True)[0] for i in range(3)
                ]
                return torch.einsum("bi,ibj,bj->b", signs, torch.stack(rows), signs)

            return product

    other = flow_of(partial(Along, solver="rk4", n_steps=4))
    with torch.no_grad():
        torch.testing.assert_close(other(x)[1], log_det.detach())


def test_hutchinson_s_estimate_and_the_exact_trace_share_their_parameters() -> None:
    flow, other = flow_of(FFJORD), perturb(ContinuousFlow(3, smooth).double())
    other.load_state_dict(flow.state_dict())
    x = points()
    torch.testing.assert_close(flow.inverse(x), other.inverse(x))


def test_a_field_that_ignores_its_position_only_translates() -> None:
    class Constant(nn.Module):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.v = nn.Parameter(torch.ones(out_features))

        def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
            return self.v.expand(len(x), -1)

    x = torch.randn(4, 3)
    for make in (ContinuousFlow, FFJORD):
        y, log_det = make(3, Constant)(x)
        torch.testing.assert_close(y, x + 1)
        assert torch.equal(log_det, torch.zeros(4))


def test_autocast_does_not_lower_the_precision() -> None:
    flow, x = flow_of(ContinuousFlow).float(), torch.randn(4, 3)
    expected = flow(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = flow(x)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


def test_the_exact_trace_of_many_features_warns() -> None:
    narrow = partial(MLP, width=2, depth=1)
    x = torch.randn(1, 257)
    with torch.no_grad():
        with pytest.warns(UserWarning, match="257 passes, one per feature: .*FFJORD estimates"):
            ContinuousFlow(257, narrow, solver="euler", n_steps=1)(x)
        ContinuousFlow(257, narrow, solver="euler", n_steps=1).inverse(x)
        FFJORD(257, narrow, solver="euler", n_steps=1)(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"solver": "euler"}, "solver=euler needs n_steps of at least 1, got None"),
        ({"solver": "rk4", "n_steps": 0}, "solver=rk4 needs n_steps of at least 1, got 0"),
        ({"n_steps": 3}, "n_steps goes with euler, midpoint, rk4; dopri5 chooses its steps"),
    ],
)
def test_steps_that_do_not_fit_the_solver_raise(
    arguments: dict[str, str | int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ContinuousFlow(3, smooth, **arguments)  # type: ignore[arg-type]
