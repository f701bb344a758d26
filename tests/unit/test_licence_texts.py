"""Licence files are known as a whole or not at all; the texts are those of the packages installed here."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hubadapt
from hubadapt.hub.fetch import resolve
from hubadapt.licence_terms import terms
from hubadapt.licence_texts import LARGEST, licence_of_folder, licence_of_text

OWN = Path(hubadapt.__file__).parents[1] / "LICENSE"


@cache
def declared() -> dict[str, str]:
    """Licence files of installed packages that have one, and name one licence in their metadata: text → identifier."""
    found = {}
    for package in distributions():
        named = package.metadata.get("License-Expression", "")
        files = [
            file for file in package.files or () if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING"))
        ]
        if terms(named).kind != "unknown" and len(files) == 1:
            text = Path(str(package.locate_file(files[0]))).read_text("utf-8", errors="replace")
            found[text] = terms(named).id
    return found


def known() -> dict[str, str]:
    return {text: licence_of_text(text) for text in declared() if licence_of_text(text)}


def test_a_text_that_is_known_is_the_one_that_its_package_names():
    assert len(known()) > 20 and {"mit", "apache-2.0", "bsd-3-clause"} <= set(known().values())
    assert all(declared()[text] == licence for text, licence in known().items())


@given(st.data())
def test_a_word_more_or_less_makes_a_text_unknown(data):
    text = OWN.read_text("utf-8")
    word = data.draw(st.sampled_from(list(re.finditer(r"\b[a-z]{3,}\b", text[: text.index("APPENDIX")]))))
    without = text[: word.start()] + text[word.end() :]
    assert licence_of_text(without) == ""
    assert licence_of_text(f"{text[: word.start()]}non{text[word.start() :]}") == ""


@pytest.mark.parametrize(
    ("licence", "said", "instead"),
    [
        ("mit", "without restriction", "with restrictions"),
        ("mit", "and/or sell", "and/or give away"),
        ("bsd-3-clause", "with or without", "without"),
    ],
)
def test_another_word_in_a_text_that_names_holders_makes_it_unknown(licence, said, instead):
    texts = [text for text, found in known().items() if found == licence and said in text]
    assert texts and not any(licence_of_text(text.replace(said, instead)) for text in texts)


@pytest.mark.parametrize(
    "added",
    ["The software may not be sold.", "# Commons Clause\n\nThe licence does not include the right to sell.",
     "Copyright (c) 2024 Somebody. Use in products is not permitted.", "Attribution-NonCommercial 4.0"],
)  # fmt: skip
def test_a_condition_before_or_after_the_text_makes_it_unknown(added):
    for text in list(known())[:10]:
        assert licence_of_text(f"{added}\n\n{text}") == licence_of_text(f"{text}\n\n{added}\n") == ""


@given(
    st.sampled_from(["Copyright (c) 2019-2024 Somebody and others.", "   © 2024 Ünï Corp", "Copyright 2001, A. Person"])
)
def test_whose_the_copyright_is_makes_no_difference(line):
    for text, licence in list(known().items())[:10]:
        assert licence_of_text(f"{line}\nAll rights reserved.\n\n{text.upper()}") == licence
        assert licence_of_text(text.replace("\n", "\r\n").replace('"', "*")) == licence


def test_our_own_licence_file_is_known_and_no_other_prose_is():
    assert licence_of_text(OWN.read_text("utf-8")) == "apache-2.0"
    assert licence_of_text("") == licence_of_text("MIT License") == licence_of_text("Licensed under Apache-2.0.") == ""


@pytest.fixture
def folder(tmp_path, base):
    """A model folder without a card."""
    for path in base.iterdir():
        if path.name != "README.md":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_model_whose_card_names_no_licence_has_the_one_whose_text_lies_beside_it(folder):
    assert resolve(str(folder), folder).ref.license == ""
    (folder / "LICENSE.txt").write_bytes(OWN.read_bytes())
    assert resolve(str(folder), folder).ref.license == "apache-2.0"
    (folder / "README.md").write_text("---\nlicense: mit\n---\n", "utf-8")
    assert resolve(str(folder), folder).ref.license == "mit"


def test_files_that_disagree_or_are_not_known_name_no_licence(folder):
    (folder / "LICENSE").write_bytes(OWN.read_bytes())
    (folder / "LICENSE-OTHER").write_text("Ask me.", "utf-8")
    assert licence_of_folder(folder) == ""
    (folder / "LICENSE-OTHER").write_bytes(OWN.read_bytes())
    assert licence_of_folder(folder) == "apache-2.0"
    (folder / "COPYING").write_bytes(b" " * (LARGEST + 1))
    assert licence_of_folder(folder) == ""


def test_a_repository_without_a_named_licence_has_the_one_of_its_file(hub, at_hub, tmp_path, monkeypatch):
    from huggingface_hub import HfApi

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    api.create_repo("local/unnamed")
    api.upload_file(path_or_fileobj=OWN.read_bytes(), path_in_repo="LICENSE", repo_id="local/unnamed")
    with at_hub(hub.endpoint, hub.token):
        assert resolve("local/unnamed", tmp_path).ref.license == "apache-2.0"
