"""The authors' models: their variables, checkpoints and frozen graphs, and the way back."""

from glow.interop.openai.building import Variables, build_glow
from glow.interop.openai.hyperparameters import describe
from glow.interop.openai.reading import ReferenceModel, ignored_variables, load, read
from glow.interop.openai.writing import save

__all__ = [
    "ReferenceModel",
    "Variables",
    "build_glow",
    "describe",
    "ignored_variables",
    "load",
    "read",
    "save",
]
