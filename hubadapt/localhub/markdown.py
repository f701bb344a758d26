"""Cards as HTML that is safe to show, whoever wrote them.

No HTML of the author's reaches the page: it is escaped, but for comments, which are dropped, and a handful of bare
tags, which are written anew. Pictures and links with relative addresses lead to the files of the repository.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import MutableMapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, unquote

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

_BARE_TAG = re.compile(r"<!--.*?-->|</?(?:details|summary|br|sub|sup|kbd|b|i|em|strong|p|center)\s*/?>", re.DOTALL)


def render(text: str, base: str) -> str:
    """Turn the body of a card into HTML.

    Args:
        text: Markdown, with tables.
        base: Address of the folder that relative addresses start from, with a trailing slash.

    Returns:
        HTML without any script, style or foreign tag.
    """
    # HTML is parsed only so that the rules below see it as pieces of its own; they, not the parser, write it out.
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parser.add_render_rule("html_block", _html)
    parser.add_render_rule("html_inline", _html)
    tokens = parser.parse(text)
    _lead_to_files(tokens, base)
    rendered: str = parser.renderer.render(tokens, parser.options, {})
    return rendered


def _html(
    _: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    text = tokens[index].content
    result, position = [], 0
    for tag in _BARE_TAG.finditer(text):
        result.append(escape(text[position : tag.start()]))
        if not tag[0].startswith("<!--"):
            result.append(tag[0])
        position = tag.end()
    return "".join(result) + escape(text[position:])


def _lead_to_files(tokens: Sequence[Token], base: str) -> None:
    for token in tokens:
        for name in ("src", "href"):
            address = token.attrGet(name)
            if isinstance(address, str):
                token.attrSet(name, _absolute(address, base))
        _lead_to_files(token.children or [], base)


def _absolute(address: str, base: str) -> str:
    if not address or re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//|/|#", address):
        return address
    path, mark, rest = address.partition("#")
    inside = posixpath.normpath(unquote(path))
    return "#" if inside.startswith("..") else base + quote(inside) + mark + rest
