"""The optimizer of the reference implementation."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from glow.training.optim.anchors import steps_per_epoch

SMALL = 4096  # the number of elements below which an operation takes longer to start than to run


class ReferenceAdamax(torch.optim.Adamax):
    r"""Adamax as in the reference, which remembers the largest gradient for one epoch.

    At step t, counted from 1, with ``beta2 = 1 - 1 / n`` where n is the number of steps in an epoch
    of 50,000 anchors (see ``anchors``): ::

        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, |g| + eps)
        p = p - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / u

    The factor ``sqrt(1 - beta2^t)`` is Adam's bias correction; ``torch.optim.Adamax``, which does
    the rest, lacks it. The reference divides by ``u + eps`` and leaves eps out of the maximum; the
    two differ by at most eps. Its run on 8 GPUs takes 512 images of CIFAR-10 per step, which is 98
    steps per epoch.

    ``optim.adamax`` of the reference.

    Args:
        params: The parameters.
        anchors_per_step: How many images of 32x32 pixels a step sees.
        lr: The learning rate.
        beta1: The decay of the mean gradient.
        eps: A small number that keeps the division finite.
        foreach: Whether to update all parameters together, as in ``torch.optim.Adamax``. None does
            so on a GPU, and where the parameters are many and small.

    Raises:
        ValueError: If ``anchors_per_step`` is 0 or less.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        anchors_per_step: float,
        lr: float = 1e-3,
        beta1: float = 0.9,
        eps: float = 1e-8,
        *,
        foreach: bool | None = None,
    ) -> None:
        if anchors_per_step <= 0:
            raise ValueError(f"anchors_per_step must be above 0, got {anchors_per_step}")
        beta2 = 1.0 - 1.0 / steps_per_epoch(anchors_per_step)
        super().__init__(params, lr=lr, betas=(beta1, beta2), eps=eps, foreach=foreach)
        for group in self.param_groups:
            sizes = [parameter.numel() for parameter in group["params"]]
            if foreach is None and sum(sizes) < SMALL * len(sizes):
                group["foreach"] = True

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient; return the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        rates = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["steps"] = group.get("steps", 0) + 1
            group["lr"] *= (1.0 - group["betas"][1] ** group["steps"]) ** 0.5
        try:
            super().step()
        finally:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate
        return loss
