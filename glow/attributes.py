"""Directions of attributes: where in latent space smiling lies, from images with labels."""

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

from glow import in_batches
from glow.checkpoint import fingerprint
from glow.latents import Latents
from glow.model import Glow

MOST_BALANCED = 4  # labels in balanced_by


class LabelSums(NamedTuple):
    """Sums over labelled latents, from which directions are computed: in float64.

    With the labels of an image and a constant 1 as ``x`` (A+1), its latents as ``z`` (D), and one
    entry for each stratum, that is each combination of the k labels ``balanced_by``::

        gram = sum x x^T  (2^k,A+1,A+1)        cross = sum x z^T  (2^k,A+1,D)

    Their size is the same for any number of images.
    """

    gram: Tensor
    cross: Tensor
    balanced_by: Sequence[int] = ()


Estimator = Callable[[LabelSums], Tensor]  # -> a direction (D) for every label, (A,D)


def mean_difference(sums: LabelSums) -> Tensor:
    """Return ``mean z with the label - mean z without it`` of every label, (A,D).

    With strata it is the mean of the differences within them, each weighted by
    ``n_with n_without / (n_with + n_without)``: what a regression on the label and the stratum
    finds. A label of ``balanced_by`` is balanced by the others. Not a number where no stratum has
    images with the label and without it. Paper section 6.1, figure 6.
    """
    return torch.stack([_difference(sums, label) for label in range(sums.gram.shape[1] - 1)])


def _difference(sums: LabelSums, label: int) -> Tensor:
    gram, cross, balanced_by = sums
    if label in balanced_by:  # it is the same within its own strata, so these are joined
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

    They minimise ``sum |z - V^T x|^2 + penalty |V|^2`` over the images, the constant being free.
    Each is the change by one label while the others stay, so that labels which often come together
    come apart. ``penalty`` counts in images.
    """
    if not penalty > 0:
        raise ValueError(f"penalty must be above 0, got {penalty}")
    if sums.balanced_by:
        raise ValueError(
            "ridge_regression tells all labels apart as it is; balanced_by is for mean_difference"
        )
    [gram], [cross] = sums.gram, sums.cross
    mean = gram[-1, :-1, None] / gram[-1, -1]
    centred_gram = gram[:-1, :-1] - gram[-1, -1] * mean * mean.T
    centred_cross = cross[:-1] - mean * cross[-1]
    eye = torch.eye(len(mean), dtype=gram.dtype)
    return torch.linalg.solve(centred_gram + penalty * eye, centred_cross)


@dataclass(frozen=True)
class Directions:
    """One direction in latent space for each attribute, and the model that they are of.

    A direction is the whole difference that the attribute makes to latents, as ``method`` sees it.
    ``vectors`` (A,D) are flattened latents; ``n_with`` (A) counts the images with the attribute,
    out of ``n_images``.
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

        Raises ``ValueError`` where there is no such attribute, or it could not be estimated.
        """
        i = position(name, self.names)
        if not 0 < self.n_with[i] < self.n_images or not self.vectors[i].isfinite().all():
            raise ValueError(
                f"there is no direction for {name} by {self.method}: {self.n_with[i]} of "
                f"{self.n_images} images have it, and some with and some without it are needed, "
                "which agree in what it is balanced by"
            )
        return Latents.unflatten(self.vectors[i : i + 1], self.shapes)

    def save(self, path: str | Path) -> None:
        """Write them to an npz file."""
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
    def load(cls, path: str | Path, model: Glow) -> Directions:
        """Read what ``save`` wrote, for the model that they are of.

        Raises ``FileNotFoundError`` where there is no file and ``ValueError`` where it holds
        something else, or the directions of another model.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there are no directions at {path}")
        try:
            with np.load(path) as file:
                directions = cls(
                    names=file["names"].tolist(),
                    vectors=torch.from_numpy(file["vectors"]),
                    shapes=model.flow.latent_shapes,
                    n_with=file["n_with"].tolist(),
                    n_images=int(file["n_images"]),
                    method=str(file["method"]),
                    fingerprint=str(file["fingerprint"]),
                )
        except Exception as error:  # numpy and zlib raise all kinds of things on broken files
            raise ValueError(
                f"{path} holds no directions: expected an npz file that Directions.save or "
                "experiments/manipulate.py wrote"
            ) from error
        if directions.fingerprint != (own := fingerprint(model)):
            raise ValueError(
                f"{path} holds the directions of another model (fingerprint "
                f"{directions.fingerprint}, and this one's is {own}): every model has its own "
                "latent space, so estimate them anew with this one"
            )
        return directions


def estimate(
    model: Glow,
    batches: Iterable[tuple[Tensor, Tensor]],
    names: Sequence[str],
    estimator: Estimator = mean_difference,
    balanced_by: Sequence[str] = (),
    *,
    labels_are_classes: bool = True,
) -> Directions:
    """Estimate the directions of named attributes from batches of labelled images.

    Images are uint8 (B,C,H,W). Labels, int64, are 0 or 1 for each attribute, (B,A), or classes
    (B,), each of which is then an attribute. Every batch is met once, and what is kept of it does
    not grow, so the set may be of any size. A model with classes takes labels (B,) for them, unless
    ``labels_are_classes`` is false; without, it encodes each image under its likeliest one.

    Raises ``ValueError`` where labels do not fit the names, and ``FloatingPointError`` where the
    latents of an image are not finite.
    """
    if not names:
        raise ValueError(
            "these images have no labels to take directions from; a folder has some where "
            "data.n_classes counts its sub-folders"
        )
    strata = [position(name, names) for name in dict.fromkeys(balanced_by)]
    if len(strata) > MOST_BALANCED:
        raise ValueError(
            f"balanced_by takes up to {MOST_BALANCED} labels, as every combination of them has its "
            f"own sums, got {len(strata)}; ridge_regression tells all labels apart"
        )
    n_sums, n_columns = 2 ** len(strata), len(names) + 1
    eye = torch.eye(n_columns, dtype=torch.float64).expand(n_sums, -1, -1)
    estimator(LabelSums(eye, eye, strata))  # what it refuses is refused before the work
    sums = LabelSums(
        torch.zeros(n_sums, n_columns, n_columns, dtype=torch.float64),
        torch.zeros(n_sums, n_columns, math.prod(model.image_shape), dtype=torch.float64),
        strata,
    )
    digits = torch.tensor([2.0**i for i in reversed(range(len(strata)))], dtype=torch.float64)
    for images, labels in batches:
        are_classes = labels_are_classes and labels.ndim == 1 and len(names) == model.n_classes
        classes = in_batches.classes_of(
            model, images, labels if are_classes else torch.full((len(images),), -1), len(images)
        )
        z = in_batches.encode(model, images, classes, len(images)).flatten().double()
        if lost := int((~z.isfinite()).any(1).sum()):
            raise FloatingPointError(f"{lost} of {len(z)} images of a batch have no finite latents")
        x = F.pad(_as_attributes(labels.cpu(), names), (0, 1), value=1.0)
        stratum = (x[:, strata] * digits).sum(1).long()
        for s in stratum.unique().tolist():
            of_it = x[stratum == s].T
            sums.gram[s] += of_it @ of_it.T
            sums.cross[s] += of_it @ z[stratum == s]
    if not sums.gram.any():
        raise ValueError("there are no images to estimate directions from")
    counts = sums.gram.sum(0)[-1].long().tolist()
    return Directions(
        names=list(names),
        vectors=estimator(sums).float(),
        shapes=model.flow.latent_shapes,
        n_with=counts[:-1],
        n_images=counts[-1],
        method=_name(estimator, balanced_by),
        fingerprint=fingerprint(model),
    )


def position(name: str, names: Sequence[str]) -> int:
    """Return where a name is; raise ``ValueError`` with those it may stand for."""
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
