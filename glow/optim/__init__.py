"""Optimizers that torch does not have."""

from glow.optim.reference_adamax import ReferenceAdamax

__all__ = ["ReferenceAdamax"]
