"""GPT-2's reversible map between bytes and printable characters, in which byte-level vocabularies are written."""

from __future__ import annotations

from functools import cache


@cache
def byte_to_char() -> dict[int, str]:
    """Byte → character: printable Latin-1 bytes stand for themselves, the rest follow from U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@cache
def _to_latin_1() -> dict[int, int]:
    """Code point of each character of the map → its byte; of Latin-1 characters outside it → one that is no byte."""
    outside = dict.fromkeys(range(256), 0xFFFF)
    return outside | {ord(char): byte for byte, char in byte_to_char().items()}


def piece_to_bytes(piece: str) -> bytes:
    """The bytes a byte-level vocabulary entry stands for.

    Raises:
        KeyError: The piece holds a character outside the map, as some special tokens do.
    """
    try:
        return piece.translate(_to_latin_1()).encode("latin-1")
    except UnicodeEncodeError as error:
        raise KeyError(piece) from error
