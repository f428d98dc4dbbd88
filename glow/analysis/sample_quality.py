"""The quality of samples as numbers: FID, precision, recall, by torch-fidelity (extra ``fid``)."""

from __future__ import annotations

from contextlib import nullcontext
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

NEIGHBORS = 3  # the neighbor whose distance is the radius of an image, in precision and recall


class _Images(Dataset[Tensor]):
    """Images as feature networks take them: uint8, 3 channels."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index].expand(3, -1, -1)


def sample_quality(
    generated: Tensor, real: Tensor, features: str | None = None, device: str = "cpu"
) -> dict[str, Any]:
    """Measure FID, precision and recall of images against real ones.

    The numbers mean nothing without the protocol that is returned with them; FID, for one, falls
    with the number of images.

    Args:
        generated: uint8 (N,C,H,W), with 1 channel or 3.
        real: uint8 (M,C,H,W).
        features: A feature network of torch-fidelity, or one that was registered with it. None
            takes those of the papers, whose weights are downloaded: Inception for FID (Heusel et
            al. 2017, arXiv:1706.08500), VGG-16 for precision and recall (Kynkäänniemi et al. 2019,
            arXiv:1904.06991).
        device: Where to run the feature network.

    Returns:
        ``fid``, ``precision``, ``recall`` and ``protocol``, as plain Python.

    Raises:
        ModuleNotFoundError: If torch-fidelity is not installed.
        ValueError: If there are too few images, or there is no such network.
        OSError: If the weights of the network cannot be downloaded.
    """
    try:
        import torch_fidelity
        from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "FID, precision and recall need torch-fidelity: pip install -e '.[fid]'"
        ) from error
    if features not in (None, *FEATURE_EXTRACTORS_REGISTRY):
        raise ValueError(
            f"there is no feature network {features}: choose from "
            f"{', '.join(FEATURE_EXTRACTORS_REGISTRY)}, or null"
        )
    fewest = min(len(generated), len(real))
    if fewest <= NEIGHBORS or generated.shape[1] not in (1, 3):
        raise ValueError(
            f"FID, precision and recall need more than {NEIGHBORS} images of 1 channel or 3, got "
            f"{len(generated)} and {len(real)} of {generated.shape[1]}"
        )
    on = torch.device(device)
    try:
        with torch.cuda.device(on) if on.type == "cuda" else nullcontext():
            numbers = torch_fidelity.calculate_metrics(
                input1=_Images(generated),
                input2=_Images(real),
                feature_extractor=features,
                fid=True,
                prc=True,
                prc_neighborhood=NEIGHBORS,
                cuda=on.type == "cuda",
                cache=False,
                save_cpu_ram=True,
                verbose=False,
            )
    except OSError as error:
        raise OSError(
            f"cannot download the weights of the feature network ({error}): run this once on a "
            "machine with a network, and copy its torch hub folder here"
        ) from error
    return {
        "fid": numbers["frechet_inception_distance"],
        "precision": numbers["precision"],
        "recall": numbers["recall"],
        "protocol": {
            "features": features or "inception-v3-compat for fid, vgg16 for precision and recall",
            "generated_images": len(generated),
            "real_images": len(real),
            "image_shape": list(real.shape[1:]),
            "resized_by": "the feature network",
            "neighbors": NEIGHBORS,
            "torch_fidelity": version("torch-fidelity"),
        },
    }
