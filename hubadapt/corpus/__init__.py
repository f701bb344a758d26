"""Text: where it is read from, and how it is split into documents and held-out texts."""
