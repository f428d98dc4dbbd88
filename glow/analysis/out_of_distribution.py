"""What a likelihood says, and does not say, about images from another distribution.

Raw likelihood misleads. A flow that was trained on photos gives simpler images of other things a
higher likelihood than photos, and constant ones the highest of all (Nalisnick et al. 2019,
arXiv:1810.09136). A score must allow for simplicity to separate images of other origin.
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

from glow.analysis import batches
from glow.analysis.batches import BATCH_SIZE
from glow.data import SPLITS, ImageDataModule, random_indices
from glow.models import ImageFlow

MISLEADING = (
    "Raw likelihood misleads: a flow can find images from elsewhere more likely than its training "
    "data, above all simple ones. Where its AUROC is below 0.5, it does."
)


@dataclass(frozen=True)
class Scores:
    """Two code lengths of every image, from which scores are computed.

    Args:
        bits_per_dim: Bits/dim under the model (N,), float64; infinite where the model cannot
            compute them, because there are too many.
        png_bits_per_dim: Bits/dim of a PNG file (N,), float64.
    """

    bits_per_dim: Tensor
    png_bits_per_dim: Tensor

    def raw(self) -> Tensor:
        """Return bits/dim, the negative likelihood."""
        return self.bits_per_dim

    def less_png(self) -> Tensor:
        """Return bits/dim minus those of the PNG file: what an image costs beyond its complexity.

        Serra et al. 2020, arXiv:1909.11480.
        """
        return self.bits_per_dim - self.png_bits_per_dim

    def atypicality(self, entropy: float) -> Tensor:
        """Return ``|bits/dim - entropy|``, the entropy being the mean over training images.

        Nalisnick et al. 2019, arXiv:1906.02994, for a single image.
        """
        return (self.bits_per_dim - entropy).abs()


def score(model: ImageFlow, images: Tensor, batch_size: int = BATCH_SIZE) -> Scores:
    """Return the scores of images.

    Args:
        model: The model.
        images: uint8 (N,C,H,W).
        batch_size: The number of images at a time.
    """
    bits = batches.bits_per_dim(model, images, batch_size=batch_size)
    bits = torch.where(bits.isfinite(), bits, torch.inf)
    return Scores(bits, png_bits_per_dim(model.dequantizer.quantize(images)))


def png_bits_per_dim(images: Tensor) -> Tensor:
    """Return the length of each image (N,C,H,W) as an optimized PNG file, in bits/dim, (N,).

    Images with neither 1 nor 3 channels are written as gray, one channel below the other.
    """
    lengths = [_png_bytes(image) for image in images.cpu().numpy()]
    return torch.tensor(lengths, dtype=torch.float64) * 8 / images[0].numel()


def auroc(inside: Tensor, outside: Tensor) -> float:
    """Return the area under the ROC curve of scores that should be higher outside.

    It is ``P(outside > inside) + P(outside = inside) / 2`` for a random image of each: 1 if the
    scores separate all of them, 0.5 if they say nothing, 0 if they are the wrong way round.

    Args:
        inside: Scores of images of the training distribution (N,), possibly infinite.
        outside: Scores of other images (M,).

    Raises:
        ValueError: If a score is not a number.
    """
    if inside.isnan().any() or outside.isnan().any():
        raise ValueError("some scores are not a number, and cannot be compared")
    truth = np.repeat([0, 1], [len(inside), len(outside)])
    ranks = torch.unique(torch.cat([inside, outside]), return_inverse=True)[1]  # may be infinite
    return float(roc_auc_score(truth, ranks.numpy()))


def compare(inside: Scores, outside: Scores, entropy: float) -> dict[str, float]:
    """Return the AUROC of every score for separating ``outside`` from ``inside``.

    Args:
        inside: Scores of images of the training distribution.
        outside: Scores of other images.
        entropy: The mean bits/dim of training images.
    """
    return {
        "auroc_raw": auroc(inside.raw(), outside.raw()),
        "auroc_less_png": auroc(inside.less_png(), outside.less_png()),
        "auroc_atypicality": auroc(inside.atypicality(entropy), outside.atypicality(entropy)),
    }


def summarize(scores: Mapping[str, Scores], entropy: float) -> dict[str, dict[str, float | None]]:
    """Return the means of each set and how well it is separated from the first, as plain Python.

    Args:
        scores: Scores by the name of a set; the first set is that of the model.
        entropy: The mean bits/dim of training images.

    Returns:
        Numbers by the name of a set; a mean that is not finite is None.
    """
    inside = next(iter(scores.values()))
    return {
        name: {**_means(found), **({} if found is inside else compare(inside, found, entropy))}
        for name, found in scores.items()
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
    """Write a CSV file with one row for each image of each set.

    Args:
        path: The file to write.
        scores: Scores by the name of a set.
        indices: The index of every image in its set (N,), by the name of the set.
        entropy: The mean bits/dim of training images.
    """
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        columns = ("bits_per_dim", "png_bits_per_dim", "less_png", "atypicality")
        writer.writerow(("set", "index", *columns))
        for name, found in scores.items():
            values = (
                found.raw(),
                found.png_bits_per_dim,
                found.less_png(),
                found.atypicality(entropy),
            )
            rows = torch.stack(values, dim=1).tolist()
            for index, row in zip(indices[name].tolist(), rows, strict=True):
                writer.writerow([name, index, *row])


def draw_from_all_splits(data: ImageDataModule, n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Draw images of all splits together, for a model that has seen none of them.

    Args:
        data: Data from elsewhere.
        n: The number of images.
        seed: The seed of the draw.

    Returns:
        uint8 images (n,C,H,W), and their indices (n,) in train, val and test together.
    """
    data.prepare_data()
    splits = [data.read(split)[0] for split in SPLITS]
    indices = random_indices(sum(map(len, splits)), n, seed)
    images, before = [], 0
    for split in splits:
        in_split = (indices >= before) & (indices < before + len(split))
        images.append(split[indices[in_split] - before])
        before += len(split)
    return torch.cat(images), indices


def constant_images(n: int, image_shape: Sequence[int], seed: int = 0) -> Tensor:
    """Return images that are all of one random gray.

    Args:
        n: The number of images.
        image_shape: The shape (C,H,W) of an image.
        seed: The seed of the grays.

    Returns:
        uint8 images (n,C,H,W).
    """
    grays = torch.randint(256, (n, 1, 1, 1), generator=torch.Generator().manual_seed(seed))
    return grays.to(torch.uint8).expand(n, *image_shape).contiguous()


def noise_images(n: int, image_shape: Sequence[int], seed: int = 0) -> Tensor:
    """Return images whose values are independent and uniform.

    Args:
        n: The number of images.
        image_shape: The shape (C,H,W) of an image.
        seed: The seed of the values.

    Returns:
        uint8 images (n,C,H,W).
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, *image_shape), generator=generator).to(torch.uint8)


def _png_bytes(image: NDArray[Any]) -> int:
    color = len(image) == 3
    pixels = image.transpose(1, 2, 0) if color else image.reshape(-1, image.shape[-1])
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", optimize=True)
    return len(file.getbuffer())
