"""Reads back the splits of a run's own dataset folder."""

from __future__ import annotations

from pathlib import Path


def split_file(folder: Path, split: str) -> Path:
    """The Parquet file of one split."""
    return folder / "data" / f"{split}-00000-of-00001.parquet"


def read_split(folder: Path, split: str, language: str) -> list[str]:
    """Texts of one split in one language, in order.

    Args:
        folder: Folder of the dataset artifact.
        split: `train` or `test`.
        language: ISO 639-1 code.
    """
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(split_file(folder, split), columns=["text", "language"])
    return [row["text"] for row in table.to_pylist() if row["language"] == language]
