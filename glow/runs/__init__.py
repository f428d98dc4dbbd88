"""What a run leaves, from its config to its record."""
