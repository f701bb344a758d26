"""What licences ask of those who publish on: a table by Hub identifier, and how other spellings are recognised.

Only what decides whether something may be published, and under which other licence, is told; the licence's own text
counts. Sources: the SPDX licence list (spdx.org/licenses) for identifiers, the Hub's list (`hub_lists.json`), the deeds
of Creative Commons (creativecommons.org/licenses) for BY, SA, NC and ND, and the agreements of the model families:
Llama 2, 3, 3.1, 3.2, 3.3 and 4 Community Licence §1.b, Gemma Terms of Use §3.1, OpenRAIL-M §III.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hubadapt.hub_lists import hub_lists

Kind = Literal[
    "public domain",
    "permissive",
    "weak copyleft",
    "share-alike",
    "copyleft",
    "use restrictions",
    "community",
    "non-commercial",
    "no derivatives",
    "unknown",
]
STRICTNESS: tuple[Kind, ...] = (
    "public domain", "permissive", "weak copyleft", "share-alike", "copyleft", "use restrictions", "community",
    "non-commercial", "no derivatives", "unknown",
)  # fmt: skip
"""From the one that asks least to the one of which least is known."""

_IDS: dict[Kind, str] = {
    "public domain": "cc0-1.0 pddl unlicense wtfpl",
    "permissive": "apache-2.0 mit afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear "
    "cdla-permissive-1.0 cdla-permissive-2.0 ecl-2.0 etalab-2.0 isc ms-pl apple-ascl odc-by openmdw-1.0 openmdw-1.1 "
    "postgresql ncsa zlib psf-2.0 python-2.0",
    "weak copyleft": "lgpl lgpl-2.1 lgpl-3.0 lgpl-lr mpl-2.0 epl-1.0 epl-2.0 lppl-1.3c ofl-1.1",
    "share-alike": "odbl cdla-sharing-1.0 gfdl",
    "copyleft": "gpl gpl-2.0 gpl-3.0 agpl-3.0 eupl-1.1 eupl-1.2 osl-3.0",
    "use restrictions": "openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 "
    "bigcode-openrail-m openrail++ c-uda",
    "community": "llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma",
    "non-commercial": "h-research intel-research apple-amlr deepfloyd-if-license fair-noncommercial-research-license",
}
_KINDS: dict[str, Kind] = {id: kind for kind, ids in _IDS.items() for id in ids.split()}

_CREATIVE_COMMONS = re.compile(r"cc-by(?P<nc>-nc)?(?P<how>-nd|-sa)?-\d\.\d(?:-[a-z]{2,4})?")
_SPDX_ENDING = re.compile(r"(-only|-or-later|\+)$")
# SPDX gives these a version where the Hub names the family.
_VERSIONLESS = re.compile(r"(gfdl|odbl|odc-by|pddl)-1\.\d(?:-no-invariants|-invariants)?")

_ASKS: dict[Kind, str] = {
    "public domain": "nothing",
    "permissive": "keep its notices and name the authors",
    "weak copyleft": "keep its notices, and what is made from the work itself under the same licence",
    "share-alike": "name the authors, and keep what is made from it under the same licence",
    "copyleft": "keep its notices, and what is made from it under the same licence with its source",
    "use restrictions": "pass its restrictions of use on",
    "community": "keep the agreement, its notice, its acceptable use policy and its rules for names",
    "non-commercial": "no commercial use",
    "no derivatives": "nothing made from it may be published",
    "unknown": "nothing is known, so that nothing is allowed",
}
_UNNAMED = ("", "other", "unknown")
_LLAMA = ("llama3", "llama3.1", "llama3.2", "llama3.3", "llama4")


@dataclass(frozen=True)
class Terms:
    """What one licence asks.

    Attributes:
        id: Hub identifier, or the SPDX one in small letters; as it was found where neither is known.
        kinds: Every kind it belongs to, the strictest last; one for most, several for such as CC BY-NC-SA.
        later: Whether later versions may be taken instead.
    """

    id: str
    kinds: tuple[Kind, ...]
    later: bool = False

    @property
    def kind(self) -> Kind:
        """The strictest of its kinds."""
        return self.kinds[-1]

    @property
    def asks(self) -> str:
        """What it asks, in one clause for each kind."""
        return "; ".join(_ASKS[kind] for kind in self.kinds)

    @property
    def hub_id(self) -> str:
        """The identifier for the metadata of a card: `other` where the Hub's list lacks it."""
        return self.id if self.id in hub_lists().licenses else "other"


def terms(licence: str) -> Terms:
    """What a licence asks, by its Hub or SPDX identifier in any case.

    Nothing is guessed: an expression of several, a family such as `cc`, `other` and words that no list knows are of the
    kind `unknown`.
    """
    plain = licence.strip().lower()
    # "openrail++" ends in what SPDX writes for later versions.
    word = plain if plain in _KINDS else _SPDX_ENDING.sub("", plain)
    if family := _VERSIONLESS.fullmatch(word):
        word = family[1]
    if deed := _CREATIVE_COMMONS.fullmatch(word):
        return _creative_commons(deed)
    kind = _KINDS.get(word, "unknown")
    if kind == "unknown":
        return Terms(licence.strip(), (kind,))
    return Terms(word, (kind,), later=word != plain and not plain.endswith("-only"))


def fits(declared: Terms, found: Terms) -> bool:
    """Whether something made from a work under `found` may be published under `declared`, as far as both say.

    Permissive works may go under any licence that keeps notices. A licence that asks for itself, restricts use or
    belongs to one family of models must stay, and a later version of it where it says so; a non-commercial one may be
    followed by another. Nothing follows what allows no derivatives or is unknown, but a licence of the same name does.
    """
    if "no derivatives" in found.kinds or found.id in _UNNAMED:
        return False
    if found.id == declared.id or found.kind == "public domain":
        return True
    if found.kind == "permissive":
        return declared.kind != "public domain"
    if found.kinds == ("non-commercial",):
        return "non-commercial" in declared.kinds
    return found.later and _is_later(declared.id, found.id)


def first_words(licence: str) -> str:
    """What the name of a model must begin with under a licence; empty where nothing is asked.

    Llama 3 Community Licence §1.b.i asks for "Llama 3", those of 3.1 and later for "Llama".
    """
    return {"llama3": "llama-3"}.get(licence, "llama") if licence in _LLAMA else ""


def built_with(licence: str) -> str:
    """What the page of a model must show under a licence, as its §1.b.i words it; empty where nothing is asked."""
    return {"llama3": "Built with Meta Llama 3"}.get(licence, "Built with Llama") if licence in _LLAMA else ""


def _creative_commons(deed: re.Match[str]) -> Terms:
    """Terms of a deed; BY-SA and BY-NC-SA let later versions of themselves follow (§4.b of 2.0 to 3.0, §3.b of 4.0)."""
    found: dict[Kind, bool] = {
        "share-alike": deed["how"] == "-sa",
        "non-commercial": bool(deed["nc"]),
        "no derivatives": deed["how"] == "-nd",
    }
    kinds = tuple(kind for kind, there in found.items() if there)
    return Terms(deed[0], kinds or ("permissive",), later=deed["how"] == "-sa")


def _is_later(declared: str, found: str) -> bool:
    """Whether two identifiers name versions of one licence, the declared one the later."""
    (family, version), (other, earlier) = (word.rpartition("-")[::2] for word in (declared, found))
    return family == other and version > earlier
