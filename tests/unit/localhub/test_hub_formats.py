"""The formats the embedded Hub reads and writes: Xet, git-lfs, attributes, cards, ranges."""

from __future__ import annotations

import struct

import pytest

pytest.importorskip("dulwich", reason="the hub extra is not installed")

import lz4.frame
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.localhub import cards, markdown, pointers, xet_format
from hubadapt.localhub.attributes import BIG, DEFAULT, Attributes, Ignored, goes_to_lfs, with_lfs_paths
from hubadapt.localhub.content import content_type, parse_range
from hubadapt.localhub.xet_format import FormatError


def header(scheme, packed, size, version=0):
    return bytes([version]) + packed.to_bytes(3, "little") + bytes([scheme]) + size.to_bytes(3, "little")


@given(st.binary(min_size=1, max_size=300))
def test_a_chunk_grouped_by_bytes_is_put_back_in_order(raw):
    grouped = raw[0::4] + raw[1::4] + raw[2::4] + raw[3::4]
    for scheme, packed in ((0, raw), (1, lz4.frame.compress(raw)), (2, lz4.frame.compress(grouped))):
        chunk = xet_format.chunk_at(header(scheme, len(packed), len(raw)), 0)
        assert xet_format.unpack(chunk, packed) == raw


def test_a_chunk_that_unpacks_to_another_size_is_refused():
    bomb = lz4.frame.compress(bytes(1_000_000))
    for size in (10, 1_000_001):
        with pytest.raises(FormatError):
            xet_format.unpack(xet_format.chunk_at(header(1, len(bomb), size), 0), bomb)
    with pytest.raises(FormatError):
        xet_format.unpack(xet_format.chunk_at(header(1, 4, 10), 0), b"junk")


@pytest.mark.parametrize(
    "bad",
    [header(3, 1, 1), header(0, 1, 2), header(0, 0, 0), header(0, 1, 1, version=1), b"abc", header(1, 9, 1 << 23)],
)
def test_what_is_no_chunk_header_is_refused(bad):
    with pytest.raises(FormatError):
        xet_format.chunk_at(bad, 0)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_shard_or_refused(body):
    for text in (body, b"HFRepoMetaData".ljust(32, b"\0") + struct.pack("<QQ", 2, 0) + body):
        try:
            xet_format.parse_shard(text)
        except FormatError:
            continue


def test_hashes_are_written_as_four_little_endian_numbers():
    assert xet_format.hash_text(bytes(range(32))) == (
        "0706050403020100" + "0f0e0d0c0b0a0908" + "1716151413121110" + "1f1e1d1c1b1a1918"
    )


@given(st.binary(min_size=32, max_size=32), st.integers(0, 10**14))
def test_pointers_come_back(raw, size):
    pointer = pointers.Pointer(raw.hex(), size)
    assert pointers.parse(pointer.text()) == pointer
    assert pointers.parse(pointer.text() + b"x") is None


@pytest.mark.parametrize(
    ("path", "size", "expected"),
    [
        ("model.safetensors", 10, True),
        ("deep/in/data.parquet", 10, True),
        ("README.md", 10, False),
        ("tokenizer.json", BIG, False),
        ("tokenizer.json", BIG + 1, True),
        ("empty.safetensors", 0, False),
    ],
)
def test_what_goes_to_the_blob_store(path, size, expected):
    assert goes_to_lfs(path, size, "", Attributes(DEFAULT.encode())) is expected


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/\\"), min_size=1, max_size=12))
def test_a_line_is_added_for_a_big_file_and_matches_it_alone(name):
    path = f"folder/{name}"
    text = with_lfs_paths(b"*.bin filter=lfs", [path])
    assert Attributes(text).is_lfs(path)
    assert not Attributes(text).is_lfs(f"other/{name}") or name.endswith(".bin")
    assert with_lfs_paths(text, [path]) == text


def test_ignored_folders_cover_what_they_hold():
    ignored = Ignored(b"build/\n*.log\n!keep.log\n")
    assert [ignored.covers(path) for path in ("build/x", "a/x.log", "keep.log", "x")] == [True, True, False, False]


@given(st.integers(0, 50), st.integers(0, 60), st.integers(1, 50))
def test_ranges_are_those_of_a_slice(start, end, size):
    content = bytes(range(size))
    for text, expected in (
        (f"bytes={start}-{end}", content[start : end + 1] if start <= end else None),
        (f"bytes={start}-", content[start:]),
        (f"bytes=-{start}", content[-start:] if start else b""),
    ):
        found = parse_range(text, size)
        if found == "unsatisfiable":
            assert expected == b""
        elif found is None:
            assert expected is None
        else:
            assert content[found[0] : found[1]] == expected


@pytest.mark.parametrize("name", ["a.html", "a.xhtml", "a.js", "a.htm", "README.md", "a.py"])
def test_nothing_is_served_as_what_a_browser_runs(name):
    assert content_type(name) == "text/plain; charset=utf-8"


def test_front_matter_is_split_off_and_made_plain():
    data, body = cards.split("---\nlicense: mit\ndate: 2026-01-01\n---\n\n# Title\n")
    assert data == {"license": "mit", "date": "2026-01-01"}
    assert body == "\n# Title\n"
    assert cards.split("# No front matter\n---\n") == ({}, "# No front matter\n---\n")
    assert cards.split("---\n- a list\n---\n")[0] == {}


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: 1\na: 2",
        "- x",
        "license: other",
        "tags: {a: 1}",
        "a: !!python/object:os.system {}",
        "x: .inf",
        "license: mits",
    ],
)
def test_bad_front_matter_is_an_error(text):
    assert cards.check(f"---\n{text}\n---\n", "model")[0]


def test_nested_aliases_do_not_unfold_without_bound():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert cards.split("---\n" + "\n".join(lines) + "\n---\n")[0] == {}


@given(st.text(alphabet="<>!-/ \n\"'=aimgscriptonerror[](){}:*`|&;", max_size=120))
def test_no_tag_of_the_author_survives_but_the_bare_ones(text):
    html = markdown.render(text, "/base/")
    for danger in ("<script", "<img src=x", "<iframe", "<!--"):
        assert danger not in html


def test_relative_addresses_lead_to_files_and_others_stay():
    html = markdown.render(
        "![a](./p/a b.png)\n![a](<p/a b.png>) [x](y.md#z) [w](https://e.org) [h](#h) [o](../o)", "/base/"
    )
    assert 'src="/base/p/a%20b.png"' in html
    assert 'href="/base/y.md#z"' in html
    assert 'href="https://e.org"' in html
    assert 'href="#h"' in html
    assert "../o" not in html
