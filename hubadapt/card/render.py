"""Templates to Markdown: the environment, its filters, and the front matter on top."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import jinja2
import yaml

from hubadapt.assets import asset
from hubadapt.card.energy import grams
from hubadapt.card.words import Words

# Stands for a line end that is not the template's own, so that blank lines in quoted text are left alone.
_KEPT = "\n\0"


def render(template: str, front: dict[str, Any] | None, words: Words, **values: Any) -> str:
    """A card or a part of one from a template of `templates/`.

    Args:
        template: Its file name.
        front: Front matter; None for a file without any.
        words: The language of fixed sentences, `t` in templates.
        values: What the template names.
    """
    body = _environment(words.language).get_template(template).render(**values)
    top = "" if front is None else f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n"
    return re.sub(r"\n{3,}", "\n\n", top + body).replace(_KEPT, "\n").rstrip() + "\n"


@cache
def _environment(language: str) -> jinja2.Environment:
    """The environment of one language; its templates are compiled once for all cards of a run."""
    words = Words(language)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(asset("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(cell=_cell, plain=_plain, keep=_keep, fence=_fence, number=_number, flat=_flat)
    environment.filters.update(known=lambda text, t: t.known(text), clauses=_clauses, grams=grams)
    environment.globals.update(
        t=words,
        language_name=words.name,
        stage_template=lambda kind: _stage_template(environment, kind),
    )
    return environment


def _stage_template(environment: jinja2.Environment, kind: str) -> jinja2.Template:
    return environment.select_template([f"stages/{kind}.md.jinja", "stages/generic.md.jinja"])


def _cell(value: object) -> str:
    """Text made safe for one cell of a Markdown table."""
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "\\`")
    return " ".join(text.split())


def _plain(value: object) -> str:
    """What others wrote, such as names in their data, made safe for a cell: no link, no picture, no emphasis."""
    return re.sub(r"([\[\]*~])", r"\\\1", _cell(value))


def _clauses(text: str, words: Words) -> str:
    """What a licence asks, clause by clause in another language."""
    return "; ".join(words(clause) for clause in text.split("; "))


def _fence(text: str, info: str = "") -> str:
    """Text in a code fence longer than any run of backticks inside it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{info}\n{_keep(text.rstrip())}\n{marks}"


def _keep(text: str) -> str:
    """Text that stays as it is, with all its blank lines."""
    return text.replace("\n", _KEPT)


def _number(value: float, digits: int = 4) -> str:
    """A number with some significant digits, without exponent for everyday sizes."""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.{digits}g}" if 1e-3 <= abs(value) < 1e6 else f"{value:.{digits}g}"


def _flat(value: object) -> str:
    """A JSON value on one line, long ones cut."""
    text = (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6).strip()
    )
    text = text.removesuffix("\n...").strip()
    return text if len(text) <= 200 else text[:199] + "…"
