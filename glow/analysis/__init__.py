"""Questions that can be asked of a trained model."""
