"""The optimizer of the reference implementation."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from glow.optim.anchors import steps_per_epoch


class ReferenceAdamax(Optimizer):
    r"""Adamax as the reference runs it, with a memory of one epoch for the largest gradient.

    At step t, counted from 1, with ``beta2 = 1 - 1 / n`` where n is the steps of an epoch of 50,000
    anchors (see ``anchors``): ::

        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, |g|)
        p = p - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (u + eps)

    The factor ``sqrt(1 - beta2^t)`` is Adam's bias correction; ``torch.optim.Adamax`` has none, and
    a ``beta2`` of 0.999. The reference's run on 8 GPUs takes 512 images of CIFAR-10 a step, and so
    98 steps an epoch.

    ``optim.adamax`` of the reference. Raises ``ValueError`` for ``anchors_per_step`` of 0 or less.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        anchors_per_step: float,
        lr: float = 1e-3,
        beta1: float = 0.9,
        eps: float = 1e-8,
    ) -> None:
        if anchors_per_step <= 0:
            raise ValueError(f"anchors_per_step must be above 0, got {anchors_per_step}")
        beta2 = 1.0 - 1.0 / steps_per_epoch(anchors_per_step)
        super().__init__(params, {"lr": lr, "betas": (beta1, beta2), "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient; return the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            for p in parameters:
                if not self.state[p]:
                    self.state[p] = {"m": torch.zeros_like(p), "u": torch.zeros_like(p)}
            group["step"] = group.get("step", 0) + 1
            self._update(parameters, group)
        return loss

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        step = group["step"]
        gradients = [p.grad for p in parameters if p.grad is not None]
        m = [self.state[p]["m"] for p in parameters]
        u = [self.state[p]["u"] for p in parameters]
        torch._foreach_lerp_(m, gradients, 1.0 - beta1)
        torch._foreach_mul_(u, beta2)
        torch._foreach_maximum_(u, list(torch._foreach_abs(gradients)))
        size = group["lr"] * (1.0 - beta2**step) ** 0.5 / (1.0 - beta1**step)
        torch._foreach_addcdiv_(parameters, m, torch._foreach_add(u, group["eps"]), value=-size)
