"""What Lightning needs to train a model."""

from glow.training.checkpoint_io import SealedCheckpointIO
from glow.training.evaluation import Evaluation, evaluate
from glow.training.lightning_module import ImageFlowModule

__all__ = ["Evaluation", "ImageFlowModule", "SealedCheckpointIO", "evaluate"]
