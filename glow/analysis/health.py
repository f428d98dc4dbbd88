"""How well a model can be inverted."""

from dataclasses import dataclass

import torch
from torch import Tensor

from glow.bijections import AffineCoupling, InvertibleLinear, full_precision
from glow.bijections.coupling import deinterleave
from glow.models import ImageFlow

HELP = "model/coupling/scale_map=floored_sigmoid, or a lower learning rate, usually helps"


@dataclass(frozen=True)
class Health:
    """How well a model can be inverted.

    Args:
        round_trip_error: The largest difference between an image and its reconstruction from the
            latents, in bins: above 0.5 a pixel is lost.
        smallest_scale: The smallest factor of an affine coupling; nan without such couplings.
            Sampling divides by it.
        condition: The largest condition number of an invertible linear map, with the ActNorm
            before it; 1 without such maps.
        non_finite_samples: The share of samples at temperature 1 that are not finite.
    """

    round_trip_error: float
    smallest_scale: float
    condition: float
    non_finite_samples: float

    def warnings(self) -> list[str]:
        """Return what is wrong, and what usually helps, in sentences."""
        found = []
        if not self.round_trip_error < 0.5:
            found.append(
                f"decoding loses pixels: the inverse is off by {self.round_trip_error:.2g} bins. "
                f"{HELP}; model.double() decodes more accurately"
            )
        if self.smallest_scale < 1e-4:
            found.append(
                f"sampling divides by a coupling's scale of {self.smallest_scale:.1g}. {HELP}"
            )
        if not self.condition < 1e6:
            found.append(
                f"a 1x1 convolution has the condition number {self.condition:.1g}. A lower rate or "
                "model/permutation=invconv (LU) in place of a plain matrix, usually helps"
            )
        if self.non_finite_samples:
            found.append(
                f"{self.non_finite_samples:.0%} of samples at temperature 1 are not finite. {HELP}"
            )
        return found


@torch.no_grad()
def health(
    model: ImageFlow, images: Tensor, labels: Tensor | None = None, *, seed: int = 0
) -> Health:
    """Measure how well a model can be inverted, with as many samples as there are images.

    Args:
        model: The model.
        images: uint8 images (B,C,H,W).
        labels: Class labels (B,), if the model has classes.
        seed: The seed of the samples.
    """
    scales: list[Tensor] = []

    def keep_scale(coupling: AffineCoupling, raw: Tensor) -> None:
        log_scale = coupling.scale_map(deinterleave(raw.float())[1])
        scales.append(log_scale.exp().min())

    couplings = [module for module in model.modules() if isinstance(module, AffineCoupling)]
    hooks = [
        coupling.net.register_forward_hook(lambda _, __, raw, c=coupling: keep_scale(c, raw))
        for coupling in couplings
    ]
    try:
        with full_precision(images), torch.compiler.set_stance("force_eager"):
            x = model.dequantizer.center(images, model.dtype)
            latents, _ = model.flow.forward_by_level(x, labels)
    finally:
        for hook in hooks:
            hook.remove()
    bins = 2**model.dequantizer.n_bits
    generator = torch.Generator(images.device).manual_seed(seed)
    drawn = model.sample_latents(len(images), generator=generator)
    with full_precision(images), torch.compiler.set_stance("force_eager"):
        error = (model.flow.inverse(latents, labels) - x).abs().max() * bins
        sampled = model.flow.inverse(drawn, labels).isfinite().flatten(1).all(1)
    linear = [module for module in model.modules() if isinstance(module, InvertibleLinear)]
    by_size: dict[int, list[Tensor]] = {}
    for layer in linear:
        matrix = layer.matrix().double()
        by_size.setdefault(len(matrix), []).append(matrix)
    return Health(
        round_trip_error=float(error),
        smallest_scale=float(torch.stack(scales).min()) if scales else float("nan"),
        condition=max((_condition(torch.stack(same)) for same in by_size.values()), default=1.0),
        non_finite_samples=float(1 - sampled.double().mean()),
    )


def _condition(matrices: Tensor) -> float:
    """Return the largest condition number of matrices (N,C,C)."""
    if not matrices.isfinite().all():
        return float("inf")
    return float(torch.linalg.cond(matrices).max())
