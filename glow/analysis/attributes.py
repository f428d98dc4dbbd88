"""Directions of attributes: where in latent space smiling is, from images with labels."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from glow.analysis import batches
from glow.checkpoint import fingerprint
from glow.latents import Latents
from glow.models import ImageFlow

MOST_BALANCED = 4  # labels in balanced_by


class LabelSums(NamedTuple):
    """Sums over labelled latents, in float64, from which directions are computed.

    With the labels of an image and a constant 1 as ``x`` (A+1), its latents as ``z`` (D), and one
    entry for each stratum, that is each combination of the k labels ``balanced_by``::

        gram = sum x x^T  (2^k,A+1,A+1)        cross = sum x z^T  (2^k,A+1,D)

    Their size does not depend on the number of images.
    """

    gram: Tensor
    cross: Tensor
    balanced_by: Sequence[int] = ()


Estimator = Callable[[LabelSums], Tensor]  # -> a direction (D) for every label, (A,D)


def mean_difference(sums: LabelSums) -> Tensor:
    """Return ``mean z with the label - mean z without it`` for every label, (A,D).

    With strata this is the mean of the differences within them, each weighted by ``n_with n_without
    / (n_with + n_without)``: the coefficient of a regression on the label and the stratum. A label
    in ``balanced_by`` is balanced by the others. The result is not a number if no stratum has
    images with the label and without it. Paper section 6.1, figure 6.
    """
    return torch.stack([_difference(sums, label) for label in range(sums.gram.shape[1] - 1)])


def _difference(sums: LabelSums, label: int) -> Tensor:
    gram, cross, balanced_by = sums
    if label in balanced_by:  # it is constant within the strata, so join those that differ in it
        axis = balanced_by.index(label)
        gram, cross = (
            part.unflatten(0, [2] * len(balanced_by)).sum(axis).reshape(-1, *part.shape[1:])
            for part in (gram, cross)
        )
    n_with, n = gram[:, label, -1, None], gram[:, -1, -1, None]
    n_without = n - n_with
    with_it = cross[:, label]
    without_it = cross[:, -1] - with_it
    difference = with_it / n_with.clamp(min=1) - without_it / n_without.clamp(min=1)
    weight = n_with * n_without / n.clamp(min=1)
    return (weight * difference).sum(0) / weight.sum()


def ridge_regression(sums: LabelSums, penalty: float = 10.0) -> Tensor:
    """Return the coefficients (A,D) of latents as a linear function of all labels together.

    They minimize ``sum |z - V^T x|^2 + penalty |V|^2`` over the images, without a penalty on the
    constant. Each is the change due to one label while the others stay the same, so labels that
    often occur together are separated.

    Args:
        sums: Sums over labelled latents, without strata.
        penalty: The weight of the penalty, in images.

    Raises:
        ValueError: If the penalty is not above 0, or there are strata.
    """
    if not penalty > 0:
        raise ValueError(f"penalty must be above 0, got {penalty}")
    if sums.balanced_by:
        raise ValueError(
            "ridge_regression separates all labels by itself; balanced_by is for mean_difference"
        )
    [gram], [cross] = sums.gram, sums.cross
    mean = gram[-1, :-1, None] / gram[-1, -1]
    centered_gram = gram[:-1, :-1] - gram[-1, -1] * mean * mean.T
    centered_cross = cross[:-1] - mean * cross[-1]
    eye = torch.eye(len(mean), dtype=gram.dtype)
    return torch.linalg.solve(centered_gram + penalty * eye, centered_cross)


@dataclass(frozen=True)
class Directions:
    """One direction in latent space for each attribute, and the model to which they belong.

    A direction is the difference that the attribute makes to latents, as ``method`` estimated it.

    Args:
        names: The names of the A attributes.
        vectors: Flattened latents (A,D).
        shapes: The shape of every level of the latents.
        n_with: For each attribute, the number of images that have it.
        n_images: The number of images.
        method: How the directions were estimated.
        fingerprint: The fingerprint of the model.
    """

    names: list[str]
    vectors: Tensor
    shapes: list[tuple[int, ...]]
    n_with: list[int]
    n_images: int
    method: str
    fingerprint: str

    def __getitem__(self, name: str) -> Latents:
        """Return the direction of an attribute, as the latents of one image.

        Raises:
            ValueError: If there is no such attribute, or it could not be estimated.
        """
        i = position(name, self.names)
        if not 0 < self.n_with[i] < self.n_images or not self.vectors[i].isfinite().all():
            raise ValueError(
                f"there is no direction for {name} by {self.method}: {self.n_with[i]} of "
                f"{self.n_images} images have it, but images with and without it are needed that "
                "agree in the labels it is balanced by"
            )
        return Latents.unflatten(self.vectors[i : i + 1], self.shapes)

    def save(self, path: str | Path) -> None:
        """Write the directions to an npz file."""
        with Path(path).open("wb") as file:
            np.savez_compressed(
                file,
                names=np.array(self.names),
                vectors=self.vectors.numpy(),
                n_with=np.array(self.n_with),
                n_images=np.array(self.n_images),
                method=np.array(self.method),
                fingerprint=np.array(self.fingerprint),
            )

    @classmethod
    def load(cls, path: str | Path, model: ImageFlow) -> Directions:
        """Read a file that ``save`` wrote.

        Args:
            path: The file.
            model: The model to which the directions belong.

        Returns:
            The directions.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file does not hold directions, or those of another model.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no file of directions at {path}")
        try:
            with np.load(path) as file:
                directions = cls(
                    names=file["names"].tolist(),
                    vectors=torch.from_numpy(file["vectors"]),
                    shapes=model.latent_shapes,
                    n_with=file["n_with"].tolist(),
                    n_images=int(file["n_images"]),
                    method=str(file["method"]),
                    fingerprint=str(file["fingerprint"]),
                )
        except Exception as error:  # numpy and zlib raise all kinds of things for broken files
            raise ValueError(
                f"{path} holds no directions: expected an npz file that Directions.save or "
                "experiments/manipulate.py wrote"
            ) from error
        if directions.fingerprint != (expected := fingerprint(model)):
            raise ValueError(
                f"{path} holds the directions of another model, with the fingerprint "
                f"{directions.fingerprint} instead of {expected}: latent spaces of models "
                "differ, so estimate them again with this one"
            )
        return directions


def estimate(
    model: ImageFlow,
    labelled: Iterable[tuple[Tensor, Tensor]],
    names: Sequence[str],
    estimator: Estimator = mean_difference,
    balanced_by: Sequence[str] = (),
    *,
    labels_are_classes: bool = True,
) -> Directions:
    """Estimate the directions of attributes in one pass over labelled images.

    Memory does not grow with the number of images.

    Args:
        model: The model.
        labelled: Batches of uint8 images (B,C,H,W) and int64 labels: 0 or 1 for each attribute
            (B,A), or classes (B,), each of which is then an attribute.
        names: The names of the A attributes.
        estimator: From sums to directions.
        balanced_by: Up to 4 attributes; only images that agree in them are compared.
        labels_are_classes: Whether labels (B,) are the classes of the model. If not, a model with
            classes encodes each image under the class under which it is most likely.

    Returns:
        The directions of all attributes.

    Raises:
        ValueError: If labels do not fit the names.
        FloatingPointError: If the latents of an image are not finite.
    """
    if not names:
        raise ValueError(
            "these images have no labels from which to estimate directions; a folder of pictures "
            "has labels if data.n_classes is the number of its subfolders"
        )
    identity = fingerprint(model)  # raises for a frozen model before the work, not after it
    strata = [position(name, names) for name in dict.fromkeys(balanced_by)]
    if len(strata) > MOST_BALANCED:
        raise ValueError(
            f"balanced_by takes up to {MOST_BALANCED} labels, as every combination of them has "
            f"separate sums, got {len(strata)}; ridge_regression separates all labels"
        )
    n_sums, n_columns = 2 ** len(strata), len(names) + 1
    eye = torch.eye(n_columns, dtype=torch.float64).expand(n_sums, -1, -1)
    estimator(LabelSums(eye, eye, strata))  # bad arguments raise before the work, not after it
    sums = LabelSums(
        torch.zeros(n_sums, n_columns, n_columns, dtype=torch.float64),
        torch.zeros(n_sums, n_columns, math.prod(model.image_shape), dtype=torch.float64),
        strata,
    )
    digits = torch.tensor([2.0**i for i in reversed(range(len(strata)))], dtype=torch.float64)
    for images, labels in labelled:
        are_classes = labels_are_classes and labels.ndim == 1 and len(names) == model.n_classes
        classes = batches.fill_in_classes(
            model, images, labels if are_classes else torch.full((len(images),), -1), len(images)
        )
        z = batches.encode(model, images, classes, len(images)).flatten().double()
        if lost := int((~z.isfinite()).any(1).sum()):
            raise FloatingPointError(f"{lost} of {len(z)} images of a batch have no finite latents")
        x = F.pad(_as_attributes(labels.cpu(), names), (0, 1), value=1.0)
        stratum = (x[:, strata] * digits).sum(1).long()
        for s in stratum.unique().tolist():
            columns = x[stratum == s].T
            sums.gram[s] += columns @ columns.T
            sums.cross[s] += columns @ z[stratum == s]
    if not sums.gram.any():
        raise ValueError("there are no images from which to estimate directions")
    counts = sums.gram.sum(0)[-1].long().tolist()
    return Directions(
        names=list(names),
        vectors=estimator(sums).float(),
        shapes=model.latent_shapes,
        n_with=counts[:-1],
        n_images=counts[-1],
        method=_name(estimator, balanced_by),
        fingerprint=identity,
    )


def position(name: str, names: Sequence[str]) -> int:
    """Return the index of a name.

    Args:
        name: The name.
        names: All names.

    Raises:
        ValueError: If there is no such name. The message suggests the most similar one.
    """
    if name in names:
        return list(names).index(name)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    meant = f"did you mean {close[0]}? There are" if close else "there are"
    raise ValueError(f"there is no attribute {name}: {meant} {', '.join(names) or 'no labels'}")


def _name(estimator: Estimator, balanced_by: Sequence[str]) -> str:
    function = estimator.func if isinstance(estimator, functools.partial) else estimator
    name = getattr(function, "__name__", type(function).__name__).replace("_", " ")
    return f"{name}, balanced by {', '.join(balanced_by)}" if balanced_by else name


def _as_attributes(labels: Tensor, names: Sequence[str]) -> Tensor:
    """Return labels as float64 (B,A), 0 or 1."""
    if labels.ndim == 1 and labels.min() >= 0 and labels.max() < len(names):
        return F.one_hot(labels.long(), len(names)).double()
    if labels.ndim == 2 and labels.shape[1] == len(names) and ((labels == 0) | (labels == 1)).all():
        return labels.double()
    raise ValueError(
        f"labels must be classes from 0 to {len(names) - 1}, or 0 or 1 for each of the "
        f"{len(names)} names; got {labels.dtype} of shape {tuple(labels.shape)}, from "
        f"{labels.min()} to {labels.max()}"
    )
