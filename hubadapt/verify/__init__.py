"""Verifies published models: downloads one, measures again what its card and its record claim, and tells each claim."""
