"""Continuous flows: follow a velocity field for one unit of time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchdiffeq import odeint, odeint_adjoint

from glow.bijections.bijection import Bijection, zero_log_det
from glow.bijections.cost import warn_if_slow
from glow.bijections.coupling import NetFactory
from glow.bijections.precision import full_precision

Trace = Callable[[Tensor, Tensor, bool], Tensor]  # v, x, create_graph -> tr(dv/dx)
FIXED_STEP = ("euler", "midpoint", "rk4")


class ContinuousFlow(Bijection):
    r"""Follow the velocity field ``dx/dt = v(t, x)`` from t = 0 to t = 1.

    ::

        y = x(1)        log_det = integral of tr(dv/dx) from 0 to 1

    The network sees x and t and returns v; it should be smooth, such as an ``MLP`` with tanh, and
    treat each example alone. A network that returns 0 makes the identity.

    Values, log-determinants and the inverse, which integrates from 1 to 0, are as exact as the
    solver: with fixed steps the error falls with their number, with an adaptive solver it is of the
    order of the tolerance. An adaptive solver takes the same steps for the whole batch, so within
    that tolerance an example depends on the others.

    Sampling, which integrates v alone, is the fast direction. ``forward`` also needs the trace: D
    vector-Jacobian products at each evaluation, and a warning if D is large; ``FFJORD`` estimates
    it with one. Chen et al. 2018, section 4.

    Args:
        features: The number of features, D.
        net: A function of the numbers of input and output features, D + 1 and D, that builds the
            network.
        solver: A solver of ``torchdiffeq.odeint``: "euler", "midpoint" or "rk4" with fixed steps,
            "dopri5" or another adaptive one.
        n_steps: The number of steps of a solver with fixed steps; None for an adaptive solver.
        tolerance: The relative and absolute tolerance of an adaptive solver.
        adjoint: Whether the backward pass integrates the adjoint equation, so that memory does not
            grow with the number of steps. Gradients are then as exact as the solver. Without it,
            they are those of the steps that were taken.

    Raises:
        ValueError: If ``n_steps`` does not fit the solver.
    """

    def __init__(
        self,
        features: int,
        net: NetFactory,
        *,
        solver: str = "dopri5",
        n_steps: int | None = None,
        tolerance: float = 1e-5,
        adjoint: bool = True,
    ) -> None:
        super().__init__()
        if solver in FIXED_STEP and (n_steps is None or n_steps < 1):
            raise ValueError(f"solver={solver} needs n_steps of at least 1, got {n_steps}")
        if solver not in FIXED_STEP and n_steps is not None:
            raise ValueError(
                f"n_steps goes with {', '.join(FIXED_STEP)}; {solver} chooses its steps by its "
                f"tolerance, got n_steps={n_steps}"
            )
        self.net = net(features + 1, features)
        self.solver = solver
        self.n_steps = n_steps
        self.tolerance = tolerance
        self.adjoint = adjoint

    def velocity(self, t: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Compute v.

        Args:
            t: Time, a scalar.
            x: Positions (B,D).
            context: What conditions the map, or None.

        Returns:
            Velocities (B,D).
        """
        v: Tensor = self.net(torch.cat([x, t.expand(len(x), 1)], dim=1), context)
        return v

    def trace(self, x: Tensor) -> Trace:
        """Return what computes ``tr(dv/dx)`` (B,) while x (B,D) moves: here the exact trace."""
        warn_if_slow(
            x.shape[1],
            "the exact trace takes a vector-Jacobian product for each; FFJORD estimates it with "
            "a single one",
        )
        return exact_trace

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Integrate (B,D) and the trace from 0 to 1."""
        with full_precision(x):
            trace = self.trace(x)

            def rates(t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
                recorded = torch.is_grad_enabled()
                with torch.enable_grad():
                    at = state[0]
                    if not (recorded and at.requires_grad):
                        at = at.detach().requires_grad_()
                    v = self.velocity(t, at, context)
                    rate = trace(v, at, recorded)
                return (v, rate) if recorded else (v.detach(), rate.detach())

            y, log_det = self._integrate(rates, (x, zero_log_det(x)), (0.0, 1.0), context)
            return y, log_det

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Integrate from 1 to 0."""
        with full_precision(y):

            def rates(t: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                return (self.velocity(t, state[0], context),)

            (x,) = self._integrate(rates, (y,), (1.0, 0.0), context)
            return x

    def _integrate(
        self,
        rates: Callable[[Tensor, Any], tuple[Tensor, ...]],
        state: tuple[Tensor, ...],
        times: tuple[float, float],
        context: Tensor | None,
    ) -> tuple[Tensor, ...]:
        settings: dict[str, Any] = {
            "method": self.solver,
            "rtol": self.tolerance,
            "atol": self.tolerance,
            "options": None if self.n_steps is None else {"step_size": 1 / self.n_steps},
        }
        t = torch.tensor(times, dtype=state[0].dtype, device=state[0].device)
        if self.adjoint and torch.is_grad_enabled():
            learned = tuple(self.parameters()) + (() if context is None else (context,))
            path = odeint_adjoint(rates, state, t, adjoint_params=learned, **settings)
        else:
            path = odeint(rates, state, t, **settings)
        return tuple(part[-1] for part in path)


class FFJORD(ContinuousFlow):
    r"""A continuous flow with Hutchinson's estimate of the trace: ``tr(J) = E[e^T J e]``.

    One vector-Jacobian product replaces D. The entries of e are -1 or 1, drawn at each call of
    ``forward`` and fixed while it integrates. The ``log_det`` is therefore random: an unbiased
    estimate and no exact log-determinant, so that two calls differ, and no chain may recompute it
    in the backward pass. y and the inverse are those of ``ContinuousFlow``, which shares the
    parameters and computes the exact ``log_det`` after training. Grathwohl et al. 2019, section 3.
    """

    def trace(self, x: Tensor) -> Trace:
        """Draw e, and return the estimate."""
        signs = torch.randint_like(x, 2) * 2 - 1

        def estimate(v: Tensor, at: Tensor, create_graph: bool) -> Tensor:  # noqa: FBT001
            (product,) = torch.autograd.grad(
                v, at, signs, create_graph=create_graph, materialize_grads=True
            )
            return (product * signs).sum(1)

        return estimate


def exact_trace(v: Tensor, x: Tensor, create_graph: bool) -> Tensor:  # noqa: FBT001
    """Return ``tr(dv/dx)``, from all D rows of the Jacobian.

    Args:
        v: Velocities (B,D), computed from x.
        x: Positions (B,D).
        create_graph: Whether the trace is differentiated again.

    Returns:
        The trace (B,).
    """
    rows = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)[:, None].expand(-1, len(x), -1)
    found: tuple[Tensor | None, ...] = torch.autograd.grad(
        v, x, rows, create_graph=create_graph, is_grads_batched=True, allow_unused=True
    )
    if found[0] is None:  # v is the same everywhere
        return zero_log_det(x)
    return found[0].diagonal(dim1=0, dim2=2).sum(1)
