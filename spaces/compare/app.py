"""The Space: the page of hubadapt over the models that the variable MODELS names."""

import os
from pathlib import Path

from hubadapt.compare.answers import find_models
from hubadapt.compare.page import build_page

build_page(find_models(tuple(os.environ["MODELS"].split()), Path())).launch()
