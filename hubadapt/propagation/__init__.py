"""Learned Embedding Propagation: tables of a base, its adapted form and a sibling in, the sibling's new table out."""
