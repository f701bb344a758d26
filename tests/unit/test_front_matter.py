"""Front matter is read safely, and what is not plain is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.errors import CardError
from hubadapt.front_matter import licence_of, read_front_matter, split_card


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ("license: [", "cannot be read"),
        ("license: mit\nlicense: apache-2.0", "the key 'license' stands twice"),
        ("a: {b: 1, b: 2}", "the key 'b' stands twice"),
        ("value: .nan", "nan is no number"),
        ("value: -.inf", "-inf is no number"),
        ("- a", "is no mapping"),
        ("a: !!python/object:os.system {}", "could not determine a constructor"),
        (
            "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
            + "\n".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]" for i in range(6)),
            "unfolds into too many values",
        ),
    ],
)
def test_what_is_not_plain_yaml_is_refused(block, part):
    with pytest.raises(CardError, match=part) as refused:
        read_front_matter(f"---\n{block}\n---\nText\n")
    assert len(str(refused.value).splitlines()) == 2


def test_a_card_without_front_matter_says_where_it_goes():
    with pytest.raises(CardError, match="has no front matter"):
        read_front_matter("# Title\n")


def test_a_card_is_split_where_its_block_ends():
    assert split_card("---\nlicense: mit\n---\nText\n---\n") == ("license: mit", "Text\n---\n")
    assert split_card("\ufeff---\r\nlicense: mit\r\n---\r\nText") == ("license: mit", "Text")
    assert split_card("Text") == (None, "Text")


@pytest.mark.parametrize(
    ("block", "licence"),
    [
        ("license: mit", "mit"),
        ("license: other\nlicense_name: mine-1.0", "mine-1.0"),
        ("license: other", "other"),
        ("license: [cc-by-sa-3.0, gfdl]", "cc-by-sa-3.0 AND gfdl"),
        ("tags: [a]", ""),
        ("license: [", ""),
        ("license:", ""),
    ],
)
def test_the_licence_of_a_card_is_the_one_it_names(block, licence):
    assert licence_of(f"---\n{block}\n---\n") == licence


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abc", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("pqr", min_size=1, max_size=3), plain, min_size=1))
def test_plain_values_come_back(data):
    import yaml

    assert read_front_matter(f"---\n{yaml.safe_dump(data)}---\n") == data


@given(st.text())
def test_no_text_breaks_the_reader(text):
    licence_of(text)
    licence_of(f"---\n{text}\n---\n")
