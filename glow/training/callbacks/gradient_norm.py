"""Watch the gradient."""

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer


class GradientNorm(Callback):
    """Log ``train/grad_norm``, the gradient's 2-norm before clipping; stop if it is not finite.

    A gradient that is not finite raises ``FloatingPointError`` before it reaches the weights, so
    the last checkpoint stays intact.
    """

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Compute the norm over all parameters."""
        gradients = {n: p.grad for n, p in pl_module.named_parameters() if p.grad is not None}
        norm = torch.nn.utils.get_total_norm(gradients.values())
        pl_module.log("train/grad_norm", norm)
        if not norm.isfinite():
            first = next(name for name, grad in gradients.items() if not grad.isfinite().all())
            raise FloatingPointError(
                f"step {trainer.global_step}: the gradient is not finite, first in {first}. The "
                "last checkpoint is intact. A longer warm-up, a lower learning rate, "
                "trainer.gradient_clip_val, or the floored_sigmoid scale map usually helps"
            )
