"""Warnings before the slow direction of a bijection runs on many features."""

import warnings

MANY_FEATURES = 256


def warn_if_slow(features: int, message: str) -> None:
    """Warn that a computation takes as many passes as there are features, if those are many.

    Args:
        features: The number of features, D; more than ``MANY_FEATURES`` are many.
        message: What is slow, and what is fast instead.
    """
    if features > MANY_FEATURES:
        warnings.warn(f"{features} passes, one per feature: {message}", stacklevel=3)
