"""Weights of other implementations."""
