"""Writes `hubadapt/licence_texts.json`: fingerprints of licence texts, by Hub identifier, and where they were read.

Takes a folder with a folder for each identifier, in it that licence's text as its owner and the SPDX list
(`spdx/license-list-data`, `text/`) give it, in as many forms as are in use: with and without the appendix that says how
to apply it, for instance. A file `SOURCES` beside them names where they are from, one line each:

    python tools/licence_texts.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hubadapt.hub_lists import hub_lists
from hubadapt.licence_texts import text_fingerprint

TARGET = Path(__file__).resolve().parents[1] / "hubadapt" / "licence_texts.json"


def main() -> None:
    """Write the file anew."""
    folder = Path(sys.argv[1])
    texts = {
        place.name: sorted({text_fingerprint(path.read_text("utf-8")) for path in place.iterdir()})
        for place in sorted(folder.iterdir())
        if place.is_dir()
    }
    unknown = set(texts) - hub_lists().licenses
    marks = [mark for found in texts.values() for mark in found]
    if unknown or len(marks) != len(set(marks)):
        raise SystemExit(f"not identifiers of the Hub: {sorted(unknown)}; texts of two licences: {len(marks)}")
    sources = (folder / "SOURCES").read_text("utf-8").splitlines()
    TARGET.write_text(json.dumps({"sources": sources, "texts": texts}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
