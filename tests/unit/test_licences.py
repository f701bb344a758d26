"""The licence chain: what fits stays silent, what does not is open until the owner decides, nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.hub_lists import hub_lists
from hubadapt.licence_terms import STRICTNESS, built_with, fits, terms
from hubadapt.licences import Declared, Text, chain_of, licence_chain, open_questions, strictest
from hubadapt.types import Manifest, ModelRef, StageRecord

IDS = sorted(hub_lists().licenses)
MIXED = (
    "mit",
    "CC-BY-4.0",
    "cc0-1.0",
    "GPL-3.0-only",
    "cc-by-nc-4.0",
    "cc-by-nd-4.0",
    "llama3",
    "gemma",
    "",
    "own words",
)


def base(license: str, id: str = "org/base") -> dict[str, ModelRef]:
    return {"base": ModelRef(id=id, revision="1" * 40, license=license)}


def two_lines(declared: Declared, models: dict[str, ModelRef], *texts: Text) -> list[tuple[str, str]]:
    return [(error.problem, error.hint) for error in open_questions(licence_chain(declared, models, texts))]


@pytest.mark.parametrize("id", IDS)
def test_every_licence_of_the_hub_has_terms(id):
    assert terms(id).hub_id == id
    assert (terms(id).kind == "unknown") == (id in ("cc", "other", "unknown"))


@pytest.mark.parametrize(
    ("written", "id"),
    [
        ("Apache-2.0", "apache-2.0"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("GPL-2.0+", "gpl-2.0"),
        ("GFDL-1.3-only", "gfdl"),
        ("CC-BY-SA-2.5", "cc-by-sa-2.5"),
        ("ODbL-1.0", "odbl"),
        ("PSF-2.0", "psf-2.0"),
        ("openrail++", "openrail++"),
    ],
)
def test_spdx_identifiers_are_read(written, id):
    assert terms(written).id == id and terms(written).kind != "unknown"


@pytest.mark.parametrize(
    "written", ["MIT OR Apache-2.0", "MIT AND CC-BY-4.0", "free", "Apache", "cc", "public domain", ""]
)
def test_expressions_families_and_words_are_not_guessed(written):
    assert terms(written).kind == "unknown"


@pytest.mark.parametrize(
    ("licence", "kinds"),
    [
        ("cc-by-nc-sa-4.0", ("share-alike", "non-commercial")),
        ("cc-by-nc-nd-3.0", ("non-commercial", "no derivatives")),
        ("cc-by-2.5", ("permissive",)),
        ("cc-by-nd-4.0", ("no derivatives",)),
    ],
)
def test_deeds_of_creative_commons_are_read_by_their_parts(licence, kinds):
    assert terms(licence).kinds == kinds


@given(st.sampled_from(IDS), st.sampled_from(IDS))
def test_a_stricter_licence_never_becomes_another(declared, found):
    allowed = fits(terms(declared), terms(found))
    kinds = terms(found).kinds
    if "no derivatives" in kinds or found in ("other", "unknown"):
        assert not allowed
    elif found == declared:
        assert allowed
    elif set(kinds) - {"public domain", "permissive", "non-commercial"}:
        assert not allowed or (terms(found).later and declared[:6] == found[:6])
    elif "non-commercial" in kinds:
        assert allowed == ("non-commercial" in terms(declared).kinds)
    else:
        assert allowed or terms(declared).kind == "public domain"


def test_later_versions_follow_where_the_licence_says_so():
    assert fits(terms("gpl-3.0"), terms("GPL-2.0-or-later")) and not fits(terms("gpl-3.0"), terms("GPL-2.0-only"))
    assert fits(terms("cc-by-sa-4.0"), terms("cc-by-sa-3.0")) and not fits(terms("cc-by-sa-3.0"), terms("cc-by-sa-4.0"))


@pytest.mark.parametrize(
    ("license", "declared", "problem", "hint"),
    [
        (
            "",
            "mit",
            "the base org/base names no licence.",
            "Write `license:` between --- lines into its README.md, or record your decision in the recipe: "
            '`license_decisions: {base: "your reason"}`.',
        ),
        (
            "llama3",
            "mit",
            "the base org/base is under llama3 (community), which does not become mit.",
            "Write `license: llama3` into the recipe, or record your decision in the recipe: "
            '`license_decisions: {base: "your reason"}`.',
        ),
        (
            "cc-by-nc-4.0",
            "apache-2.0",
            "the base org/base is under cc-by-nc-4.0 (non-commercial), which does not become apache-2.0.",
            "Write `license: cc-by-nc-4.0` into the recipe, or record your decision in the recipe: "
            '`license_decisions: {base: "your reason"}`.',
        ),
        (
            "cc-by-nd-4.0",
            "cc-by-nd-4.0",
            "the base org/base is under cc-by-nd-4.0, which lets nothing made from it be published.",
            'Record your decision in the recipe: `license_decisions: {base: "your reason"}`.',
        ),
        (
            "Apache 2",
            "apache-2.0",
            "the base org/base is under 'Apache 2', of which hubadapt knows nothing.",
            "If it is apache-2.0, write that into its README.md; else record your decision in the recipe: "
            '`license_decisions: {base: "your reason"}`.',
        ),
        (
            "llama3.1",
            "llama3.1",
            "the base org/base is under llama3.1, which lets models made from it only have names that begin with "
            "llama.",
            "Rename the run: `name: llama-run` in the recipe.",
        ),
    ],
    ids=["missing", "community", "non-commercial", "no derivatives", "misspelled", "name"],
)
def test_a_base_that_does_not_fit_is_open_in_two_lines(license, declared, problem, hint):
    assert two_lines(Declared("run", declared), base(license)) == [(problem, hint)]


@pytest.mark.parametrize(
    ("license", "declared", "name"),
    [
        ("apache-2.0", "mit", "run"),
        ("mit", "gpl-3.0", "run"),
        ("llama3.1", "llama3.1", "Llama-ru"),
        ("gemma", "gemma", "run"),
        ("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "run"),
        ("own-terms-1.0", "own-terms-1.0", "run"),
        ("mit", "own-terms-1.0", "run"),
    ],
)
def test_a_base_that_fits_is_silent(license, declared, name):
    assert two_lines(Declared(name, declared), base(license)) == []


def test_a_sibling_is_asked_too():
    models = base("mit") | {"chat": ModelRef(id="./chat", revision="2", local=True)}
    assert [problem for problem, _ in two_lines(Declared("run", "mit"), models)] == [
        "the sibling chat ./chat names no licence."
    ]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (Text("a", "CC-BY-4.0", True), []),
        (Text("a", "GPL-3.0", False), []),
        (
            Text("a", "GPL-3.0", True),
            ["models are trained on text of a under gpl-3.0 (copyleft), and published as mit."],
        ),
        (
            Text("a", "cc-by-nc-4.0", True),
            ["models are trained on text of a under cc-by-nc-4.0 (non-commercial), and published as mit."],
        ),
        (
            Text("a", "cc-by-nd-4.0", False),
            ["the text of a is under cc-by-nd-4.0: nothing made from it may be published."],
        ),
        (Text("a", "own words", False), ["the text of a is under 'own words', of which hubadapt knows nothing."]),
    ],
)
def test_text_binds_the_dataset_and_asks_the_owner_about_models(text, problems):
    assert [problem for problem, _ in two_lines(Declared("run", "mit"), base("mit"), text)] == problems


@pytest.mark.parametrize("key", ["a b", "GPL-3.0", "gpl-3.0"])
def test_a_decision_by_source_or_licence_closes_a_question_and_is_kept_verbatim(key):
    declared = Declared("run", "mit", {key: "Only facts: *mine*."})
    links = licence_chain(declared, base("mit"), [Text("a b", "GPL-3.0", True)])
    assert open_questions(links, declared.decisions) == []
    assert [link.decision for link in links] == ["", "Only facts: *mine*."]


def test_a_decision_for_one_source_leaves_the_others_open():
    texts = [Text("a", "GPL-3.0", True), Text("b", "GPL-3.0", True)]
    assert [problem for problem, _ in two_lines(Declared("run", "mit", {"a": "Mine."}), base("mit"), *texts)] == [
        "models are trained on text of b under gpl-3.0 (copyleft), and published as mit."
    ]


def test_a_decision_that_covers_nothing_is_an_error_with_the_name_that_was_meant():
    links = licence_chain(Declared("run", "mit"), base("mit"), [Text("a", "GPL-3.0", False)])
    (error,) = open_questions(links, {"GPL-3": "because"})
    assert error.problem == "license_decisions names 'GPL-3', which is neither a source nor a licence of this run."
    assert error.hint == "Did you mean 'gpl-3.0'?"


texts = st.lists(st.builds(Text, st.sampled_from("abc"), st.sampled_from(MIXED), st.booleans()), max_size=6)


@given(st.permutations([Text("a", "mit", True), Text("b", "GPL-3.0", True), Text("c", "mit", False)]))
def test_the_order_of_texts_does_not_matter(order):
    assert licence_chain(Declared("run", "mit"), base("mit"), order) == licence_chain(
        Declared("run", "mit"), base("mit"), sorted(order, key=lambda text: text.source)
    )


@given(texts, st.sampled_from(MIXED), st.sampled_from(["mit", "gpl-3.0", "cc-by-nc-4.0", "llama3"]))
def test_every_source_has_a_link_and_every_question_can_be_decided(texts, license, declared):
    own = Declared("llama-3-run", declared)
    links = licence_chain(own, base(license), texts)
    assert {(name, link.license) for link in links[1:] for name in link.names} == {(t.source, t.license) for t in texts}
    decisions = {name: "mine" for link in links if link.problem for name in link.names}
    decided = licence_chain(Declared("llama-3-run", declared, decisions), base(license), texts)
    assert open_questions(decided, decisions) == []
    assert all("\n" not in link.problem + link.hint for link in links)


def test_the_strictest_links_are_found():
    texts = [Text("a", "GPL-3.0", True), Text("b", "cc0-1.0", True), Text("c", "GPL-2.0", False)]
    found = strictest(licence_chain(Declared("run", "mit"), base("mit"), texts))
    assert [link.license for link in found] == ["GPL-3.0", "GPL-2.0"] and strictest([]) == ()
    assert len(STRICTNESS) == len(set(STRICTNESS))


def test_a_manifest_gives_its_own_chain():
    rows = [{"source": "a", "language": "ru", "license": "GPL-3.0", "train_documents": 1}]
    record = StageRecord(
        name="corpus", kind="corpus", params={}, inputs={}, facts={"sources": rows}, seconds=0, fingerprint=""
    )
    manifest = Manifest(
        name="run", language="ru", license="other", license_name="mine", recipe="", stages=(record,), **base("mit")
    )
    assert [(link.names, link.role, link.license) for link in chain_of(manifest)] == [
        (("base",), "base", "mit"),
        (("a",), "trained on", "GPL-3.0"),
    ]


def test_the_line_that_a_family_of_models_asks_for():
    assert [built_with(id) for id in ("llama3", "llama3.3", "llama2", "mit")] == [
        "Built with Meta Llama 3",
        "Built with Llama",
        "",
        "",
    ]
