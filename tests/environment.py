"""Sets the environment of every test; imported before anything of Hugging Face, whose libraries read it once.

Caches lie in a temporary folder, there is no token, every Hub call goes to an address where nothing listens, one
thread computes, and the terminal has a fixed size and no colour.
"""

from __future__ import annotations

import os
import tempfile

_HOME = tempfile.TemporaryDirectory(prefix="hubadapt-tests-")
CLOSED_PORT = "http://127.0.0.1:1"
"""An address of this machine where nothing listens: what is not meant to reach a Hub cannot."""

SETTINGS = {
    "HF_HOME": _HOME.name,
    "HF_HUB_CACHE": f"{_HOME.name}/hub",
    "HF_XET_CACHE": f"{_HOME.name}/xet",
    "HF_DATASETS_CACHE": f"{_HOME.name}/datasets",
    "HF_TOKEN_PATH": f"{_HOME.name}/token",
    "HF_ENDPOINT": CLOSED_PORT,
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUDA_VISIBLE_DEVICES": "",
    "COLUMNS": "100",
    "NO_COLOR": "1",
    "TERM": "dumb",
}
ABSENT = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "FORCE_COLOR")

os.environ.update(SETTINGS)
for name in ABSENT:
    os.environ.pop(name, None)
