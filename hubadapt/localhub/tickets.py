"""Tickets: short-lived signed permissions for transfers, where clients do not send their token.

A ticket names what it is good for and when it ends, signed with the data folder's secret, so that the server need
remember nothing. It goes into upload addresses (git-lfs) and into the access tokens of the Xet storage.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

LIFETIME = 3600
"""Seconds a ticket is good for; Xet clients fetch a new one by themselves when it ends."""


def issue(secret: bytes, purpose: str, lifetime: int = LIFETIME) -> tuple[str, int]:
    """Make a ticket for one purpose; returns it and the Unix time at which it ends."""
    expires = int(time.time()) + lifetime
    return f"{expires}.{_signature(secret, purpose, expires)}", expires


def is_good(secret: bytes, purpose: str, ticket: str) -> bool:
    """Whether a ticket was issued for this purpose and has not ended."""
    expires, _, signature = ticket.partition(".")
    if not expires.isascii() or not expires.isdigit() or len(expires) > 12 or int(expires) < time.time():
        return False
    return hmac.compare_digest(signature.encode(), _signature(secret, purpose, int(expires)).encode())


def _signature(secret: bytes, purpose: str, expires: int) -> str:
    digest = hmac.new(secret, f"{purpose}:{expires}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
