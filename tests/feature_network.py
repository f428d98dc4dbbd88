"""A stand-in for a feature network of torch-fidelity, without weights to download."""

from typing import Any

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase


class MeanColors(FeatureExtractorBase):  # type: ignore[misc]
    """The mean of every channel."""

    def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
        super().__init__(name, features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str]:
        return ("colors",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "colors"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, images: Tensor) -> tuple[Tensor]:
        assert images.dtype == torch.uint8
        return (images.double().mean(dim=(2, 3)),)
