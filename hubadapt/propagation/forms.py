"""The forms of propagation: what a sibling's new rows are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How a sibling's rows follow from an adapted base's.

    `swap`, `overlap` and `conversion` are the paper's; `ridge`, `delta` and the choice are ours.

    Source:
        Tikhomirov & Chernyshev 2024, arXiv 2412.21140, eqs. 3–14.
    """

    SWAP = "swap"
    """E_A as it is: M = I."""
    OVERLAP = "overlap"
    """E_A M, with M fitted on the rows of the tokens that both vocabularies have."""
    CONVERSION = "conversion"
    """E_A M, with M fitted on all rows of the new vocabulary, those of new tokens as means of their pieces."""
    RIDGE = "ridge"
    """As conversion, with M pulled towards the identity: what lies between conversion and swap."""
    DELTA = "delta"
    """E_A + T (E_sibling − E_base): no map, each row moves as its pieces moved."""
    AUTO = "auto"
    """The one of swap, overlap, conversion and ridge that says best what rows are that it was not fitted on."""


LINEAR = (Form.OVERLAP, Form.CONVERSION, Form.RIDGE)
"""Forms whose map is fitted."""


@dataclass(frozen=True)
class Transfer:
    """How a table is propagated.

    Attributes:
        form: The form.
        ridge: Strength of the pull towards the identity, in units of the mean eigenvalue of XᵀX: tr(XᵀX) / D.
    """

    form: Form = Form.CONVERSION
    ridge: float = 0.0

    def problems(self) -> Iterator[tuple[str, str]]:
        """What does not fit together, and what to do."""
        if self.form is Form.RIDGE and self.ridge == 0:
            yield "the form ridge needs a strength", "Set `ridge`, for example to 0.01, or choose the form auto."
        if self.form not in LINEAR and self.ridge != 0:
            yield (
                f"`ridge: {self.ridge:g}` does not go with the form {self.form}",
                "Remove `ridge`, or choose the form ridge.",
            )
