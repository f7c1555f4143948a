"""The accounts' keys: made from a number alone, so that no process needs a list of them."""

from __future__ import annotations

import base64
import hmac

PREFIX = "bench-key-"
PASSPHRASE = "bench-passphrase"
INST_ID = "BTC-USDT-SWAP"


def api_key(number: int) -> str:
    return f"{PREFIX}{number:06d}"


def secret(number: int) -> str:
    return f"bench-secret-{number:06d}"


def number_of(key: str) -> int | None:
    """The account a key belongs to; None for a key that nobody has."""
    number = key.removeprefix(PREFIX)
    return int(number) if number.isdigit() and key == api_key(int(number)) else None


def signature(secret_text: str, text: str) -> str:
    """As OKX asks for it: base64 of HMAC-SHA256 over time, method, path and body."""
    return base64.b64encode(hmac.digest(secret_text.encode(), text.encode(), "sha256")).decode()
