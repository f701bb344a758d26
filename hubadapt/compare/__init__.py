"""Side by side: the same prompt, several models."""
