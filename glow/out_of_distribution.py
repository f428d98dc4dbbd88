"""What a likelihood says, and does not say, of images from elsewhere.

Raw likelihood misleads. A flow that has learnt photos gives simpler images of other things a higher
likelihood than photos, and constant ones the highest of all (Nalisnick et al. 2019,
arXiv:1810.09136). It takes a score that allows for simplicity to tell images from elsewhere.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import Tensor

from glow import in_batches
from glow.in_batches import BATCH_SIZE
from glow.model import Glow

MISLEADING = (
    "Raw likelihood misleads: a flow may well find images from elsewhere likelier than its own, "
    "above all simple ones. Where its AUROC is below 0.5, it does."
)


@dataclass(frozen=True)
class Scores:
    """Of every image: bits/dim under the model, and in a PNG file; both (N,), float64.

    Bits that the model cannot compute, as they are too many, are infinite.
    """

    bits_per_dim: Tensor
    png_bits_per_dim: Tensor

    def raw(self) -> Tensor:
        """Return bits/dim, the negative likelihood."""
        return self.bits_per_dim

    def less_png(self) -> Tensor:
        """Return bits/dim less those of the PNG file: what an image costs beyond its complexity.

        Serra et al. 2020, arXiv:1909.11480.
        """
        return self.bits_per_dim - self.png_bits_per_dim

    def atypicality(self, entropy: float) -> Tensor:
        """Return ``|bits/dim - entropy|``, the entropy being the mean over training images.

        Nalisnick et al. 2019, arXiv:1906.02994, for one image.
        """
        return (self.bits_per_dim - entropy).abs()


def score(model: Glow, images: Tensor, batch_size: int = BATCH_SIZE) -> Scores:
    """Return the scores of uint8 images (N,C,H,W)."""
    bits = in_batches.bits_per_dim(model, images, batch_size=batch_size)
    bits = torch.where(bits.isfinite(), bits, torch.inf)
    return Scores(bits, png_bits_per_dim(model.dequantize.kept(images)))


def png_bits_per_dim(images: Tensor) -> Tensor:
    """Return the length of each image (N,C,H,W) as an optimised PNG file, in bits/dim, (N,).

    Images with neither 1 nor 3 channels are written one channel below the other, in grey.
    """
    lengths = [_png_bytes(image) for image in images.cpu().numpy()]
    return torch.tensor(lengths, dtype=torch.float64) * 8 / images[0].numel()


def auroc(inside: Tensor, outside: Tensor) -> float:
    """Return the area under the ROC curve of scores (N,) and (M,) that are to be higher outside.

    It is ``P(outside > inside) + P(outside = inside) / 2`` for a random image of each: 1 where the
    scores tell all of them apart, 0.5 where they tell nothing, 0 where they are the wrong way
    round. Scores may be infinite. Raises ``ValueError`` where one is not a number.
    """
    if inside.isnan().any() or outside.isnan().any():
        raise ValueError("there are scores that are not a number, and cannot be compared")
    truth = np.repeat([0, 1], [len(inside), len(outside)])
    ranks = torch.unique(torch.cat([inside, outside]), return_inverse=True)[1]  # may be infinite
    return float(roc_auc_score(truth, ranks.numpy()))


def compare(inside: Scores, outside: Scores, entropy: float) -> dict[str, float]:
    """Return the AUROC of every score for telling ``outside`` from ``inside``."""
    return {
        "auroc_raw": auroc(inside.raw(), outside.raw()),
        "auroc_less_png": auroc(inside.less_png(), outside.less_png()),
        "auroc_atypicality": auroc(inside.atypicality(entropy), outside.atypicality(entropy)),
    }


def report(scores: Mapping[str, Scores], entropy: float) -> dict[str, dict[str, float | None]]:
    """Return means for each set, by name, and how it is told from the first: plain, for a file.

    A mean that is not finite is None.
    """
    inside = next(iter(scores.values()))
    return {
        name: {**_means(of_set), **({} if of_set is inside else compare(inside, of_set, entropy))}
        for name, of_set in scores.items()
    }


def _means(scores: Scores) -> dict[str, float | None]:
    bits = float(scores.bits_per_dim.mean())
    return {
        "images": len(scores.bits_per_dim),
        "not_finite": int((~scores.bits_per_dim.isfinite()).sum()),
        "bits_per_dim": bits if math.isfinite(bits) else None,
        "png_bits_per_dim": float(scores.png_bits_per_dim.mean()),
    }


def write_per_image(
    path: Path, scores: Mapping[str, Scores], indices: Mapping[str, Tensor], entropy: float
) -> None:
    """Write a csv file with one row for each image of each set, by its index (N,) in the set."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        columns = ("bits_per_dim", "png_bits_per_dim", "less_png", "atypicality")
        writer.writerow(("set", "index", *columns))
        for name, of_set in scores.items():
            values = (
                of_set.raw(),
                of_set.png_bits_per_dim,
                of_set.less_png(),
                of_set.atypicality(entropy),
            )
            rows = torch.stack(values, dim=1).tolist()
            for index, row in zip(indices[name].tolist(), rows, strict=True):
                writer.writerow([name, index, *row])


def constant_images(n: int, image_shape: Sequence[int], seed: int = 0) -> Tensor:
    """Return n images, uint8 (n,C,H,W), each of which is of one random grey."""
    greys = torch.randint(256, (n, 1, 1, 1), generator=torch.Generator().manual_seed(seed))
    return greys.to(torch.uint8).expand(n, *image_shape).contiguous()


def noise_images(n: int, image_shape: Sequence[int], seed: int = 0) -> Tensor:
    """Return n images, uint8 (n,C,H,W), every value of which is drawn by itself, uniformly."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, *image_shape), generator=generator).to(torch.uint8)


def _png_bytes(image: NDArray[Any]) -> int:
    colour = len(image) == 3
    pixels = image.transpose(1, 2, 0) if colour else image.reshape(-1, image.shape[-1])
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", optimize=True)
    return len(file.getbuffer())
