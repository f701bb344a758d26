"""Reading a recipe that is right; wrong ones are in `tests/broken/test_bad_recipes.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pico
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hubadapt.errors import RecipeError, SeveralErrors, UserError, raise_all
from hubadapt.recipe import read_recipe
from hubadapt.registry import Registry, suggest

TEXT = """\
# my recipe
name: one
language: ru
license: mit
base: some/base
stages:
  - corpus: {sources: [{path: a.txt, language: ru, license: mit}]}
  - tokenizer
  - embed:
"""


def test_the_text_is_kept_verbatim_and_defaults_are_filled_in(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(TEXT.encode())
    recipe = read_recipe(path)
    assert recipe.text == TEXT
    assert list(recipe.stages) == ["corpus", "tokenizer", "embed"]
    assert recipe.stages["embed"].model_dump()["method"] == "length(by=0.9)"
    assert (recipe.base, recipe.siblings) == ("some/base", {})


def test_a_recipe_cannot_be_changed_once_read(tmp_path):
    (tmp_path / "r.yaml").write_text(TEXT)
    recipe = read_recipe(tmp_path / "r.yaml")
    with pytest.raises(ValueError, match="frozen"):
        recipe.name = "other"


@settings(max_examples=25)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=9,
    )
)
def test_no_data_makes_anything_but_a_user_error(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yaml"
        for wrapped in (content, {"name": content, "stages": content}, {"stages": [content, {"embed": content}]}):
            path.write_text(yaml.safe_dump(wrapped, allow_unicode=True), "utf-8")
            with pytest.raises(UserError):
                read_recipe(path)


@pytest.mark.parametrize(
    "name",
    sorted((Path(pico.__file__).parents[1] / "templates" / "recipes").glob("*.yaml")),
    ids=lambda path: path.name,
)
def test_recipes_that_are_shipped_can_be_read(name):
    recipe = read_recipe(name)
    assert recipe.stages


def test_no_error_is_no_exception_one_is_itself_and_several_are_all_told():
    one, two = RecipeError("a", "b"), UserError("c", "d")
    raise_all([])
    with pytest.raises(RecipeError) as single:
        raise_all([one])
    assert single.value is one
    with pytest.raises(SeveralErrors) as several:
        raise_all([one, two])
    assert str(several.value) == "a\nb\nc\nd"
    assert several.value.errors == [one, two]


def test_an_error_is_two_lines_whatever_it_quotes():
    error = UserError("found\n\n  this\tthere ", "do\nthat")
    assert str(error) == "found this there\ndo that"


def test_a_name_registered_twice_is_a_fault_of_ours():
    registry: Registry[int] = Registry("hubadapt.embeddings", "hubadapt.nothing")
    registry.register("a", 1)
    registry.register("a", 1)
    with pytest.raises(ValueError, match="'a' is registered twice"):
        registry.register("a", 2)


def test_a_hint_names_the_nearest_or_all():
    assert suggest("tokeniser", ["tokenizer", "embed"]) == "Did you mean 'tokenizer'?"
    assert suggest("xyz", ["tokenizer", "embed"]) == "Choose one of: embed, tokenizer."
