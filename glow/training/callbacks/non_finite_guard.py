"""What to do when numbers stop being finite."""

import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.strategies import Strategy
from torch.optim import Optimizer

from glow.analysis.finiteness import first_non_finite, layer_outputs
from glow.checkpoint import DESCRIPTION_KEY, PREFIX, describe
from glow.data import batches_done
from glow.noise import noise_per_step
from glow.system.sealed_file import save_sealed
from glow.training.callbacks.last_checkpoint import LastCheckpoint
from glow.training.lightning_module import ImageFlowModule

Policy = Literal["stop", "skip", "roll_back"]
ADVICE = (
    "A longer warm-up, a lower learning rate, trainer.gradient_clip_val, or the floored_sigmoid "
    "scale map usually helps"
)


class NonFiniteGuard(Callback):
    """Log ``train/grad_norm``, the gradient's 2-norm before clipping, and act if it is not finite.

    A gradient that is not finite never reaches the weights. The batches of its step and the weights
    go to ``<folder>/step_<step>_rank_<rank>.pt``, for ``experiments/replay.py``. Finding out costs
    one number a step from a GPU, and the layer is looked for only then.

    Args:
        folder: The folder of the file.
        policy: ``stop`` ends training with an error. ``skip`` goes on without the step.
            ``roll_back`` goes on from the last checkpoint, with a lower learning rate.
        patience: After how many such steps in a row training ends all the same.
        rate_factor: By what ``roll_back`` multiplies the learning rate, and its schedule.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        folder: str | Path,
        policy: Policy = "stop",
        patience: int = 3,
        rate_factor: float = 0.5,
    ) -> None:
        if policy not in ("stop", "skip", "roll_back"):
            raise ValueError(f"policy must be stop, skip or roll_back, got {policy}")
        if patience < 1 or not 0 < rate_factor <= 1:
            raise ValueError(
                "patience must be at least 1 and rate_factor in (0, 1], got "
                f"{patience} and {rate_factor}"
            )
        self.folder = Path(folder)
        self.policy = policy
        self.patience = patience
        self.rate_factor = rate_factor
        self._in_a_row = 0
        self._batches: list[tuple[Any, int]] = []  # of this step, with their numbers

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Remember the batches of the step."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._batches.clear()
        self._batches.append((batch, batches_done(trainer)))

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Compute the norm over all parameters, and act if it is not finite."""
        gradients = {n: p.grad for n, p in pl_module.named_parameters() if p.grad is not None}
        norm = torch.nn.utils.get_total_norm(gradients.values())
        pl_module.log("train/grad_norm", norm)
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            return  # of float16, which finds its scale by such steps, and skips them
        if norm.isfinite():
            self._in_a_row = 0
            return
        self._in_a_row += 1
        first = next((n for n, grad in gradients.items() if not grad.isfinite().all()), "their sum")
        what = self._report(trainer, pl_module, first)
        if self.policy == "stop":
            raise FloatingPointError(f"{what}. The last checkpoint is intact. {ADVICE}")
        if self._in_a_row >= self.patience:
            raise FloatingPointError(
                f"{what}, {self._in_a_row} times in a row. The last checkpoint is intact. {ADVICE}"
            )
        for parameter in pl_module.parameters():
            parameter.grad = None  # the optimizer skips what has no gradient
        done = "the step is skipped" if self.policy == "skip" else self._roll_back(trainer, what)
        warnings.warn(f"{what}; {done}", stacklevel=2)

    def state_dict(self) -> dict[str, Any]:
        """Keep how many steps in a row were lost."""
        return {"in_a_row": self._in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self._in_a_row = state_dict["in_a_row"]

    def _report(self, trainer: Trainer, pl_module: LightningModule, parameter: str) -> str:
        """Write the batches to a file; return where the numbers stopped being finite."""
        assert isinstance(pl_module, ImageFlowModule)
        model = pl_module.model
        batches = []
        layer = None
        for (images, labels), number in self._batches:
            key = (torch.initial_seed(), trainer.global_rank, number)
            noise = noise_per_step(images, *key)
            batches.append({"images": images, "labels": labels, "noise": noise})
            with trainer.precision_plugin.forward_context():
                outputs = layer_outputs(model, images, labels, noise=noise)
            layer = layer or first_non_finite(outputs)
        content = {
            DESCRIPTION_KEY: describe(model),
            "state_dict": {PREFIX + name: value for name, value in model.state_dict().items()},
            "batches": batches,
            "step": trainer.global_step,
            "precision": str(trainer.precision),
        }
        name = f"step_{trainer.global_step}_rank_{trainer.global_rank}.pt"
        self.folder.mkdir(parents=True, exist_ok=True)
        save_sealed(content, self.folder / name)
        where = f"first in the gradient of {parameter}"
        if layer:
            where = f"first in the output of {layer}"
        return (
            f"step {trainer.global_step}: the gradient is not finite, {where} "
            f"(experiments/replay.py batch={self.folder / name} shows it)"
        )

    def _roll_back(self, trainer: Trainer, what: str) -> str:
        """Restore the last checkpoint, except for the place in the data; return what was done."""
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        paths = [c.path for c in callbacks if isinstance(c, LastCheckpoint) and c.path.is_file()]
        if not paths:
            raise FloatingPointError(
                f"{what}, and there is no checkpoint to roll back to. {ADVICE}"
            )
        strategy: Strategy = trainer.strategy
        checkpoint = strategy.load_checkpoint(paths[0], weights_only=True)
        rates = [[group["lr"] for group in o.param_groups] for o in trainer.optimizers]
        trainer.lightning_module.load_state_dict(checkpoint["state_dict"])
        for callback in callbacks:
            if isinstance(callback, WeightAveraging):  # the checkpoint holds averages, too
                callback.on_load_checkpoint(trainer, trainer.lightning_module, checkpoint)
        strategy.load_optimizer_state_dict(checkpoint)
        for optimizer, before in zip(trainer.optimizers, rates, strict=True):
            for group, rate in zip(optimizer.param_groups, before, strict=True):
                group["lr"] = rate * self.rate_factor
        for config in trainer.lr_scheduler_configs:
            schedule: Any = config.scheduler
            schedule.base_lrs = [rate * self.rate_factor for rate in schedule.base_lrs]
        lowered = trainer.optimizers[0].param_groups[0]["lr"]
        steps = checkpoint["global_step"]
        return f"weights and optimizer are those of step {steps} again, the rate is {lowered:.2g}"
