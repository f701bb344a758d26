"""The Space: the page of hubadapt over the models that `models.txt` names."""

import logging
from pathlib import Path

from hubadapt.compare.answers import find_models
from hubadapt.compare.page import build_page
from hubadapt.errors import HubError

models = {}
for name in Path("models.txt").read_text(encoding="utf-8").split():
    try:
        models |= find_models((name,), Path())
    except HubError as error:
        # Gated, say: a Space without a token shows what anybody may read.
        logging.warning(error)
build_page(models).launch()
