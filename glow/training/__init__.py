"""What Lightning needs to train a model."""

from glow.training.evaluation import Evaluation, evaluate
from glow.training.lightning_module import ImageFlowModule

__all__ = ["Evaluation", "ImageFlowModule", "evaluate"]
