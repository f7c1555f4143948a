"""OKX's signature over one request, made by hand: what ccxt's `sign` would send, and no more."""

from __future__ import annotations

import time
from binascii import b2a_base64
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlencode

from trading.exchange.types import Credentials
from trading.keyed import Keyed

API = "/api/v5/"
# An account's seal takes less than a kilobyte.
_ACCOUNTS = 20_000
_FIRST_PRINTABLE = " "


@dataclass(frozen=True, slots=True, repr=False)
class Seal:
    """What every request of an account carries, as it is written, and the key that signs it."""

    head: bytes
    key: Keyed

    def fields(self, stamp: bytes, what: bytes, body: bytes) -> bytes:
        """The header fields of one request; `what` is its method and its target."""
        signature = b2a_base64(self.key.digest(stamp + what + body), newline=False)
        return b"%b%b\r\nOK-ACCESS-SIGN: %b\r\n" % (self.head, stamp, signature)


@lru_cache(_ACCOUNTS)
def seal_of(credentials: Credentials) -> Seal:
    """Raises ValueError for credentials that would end up in another field."""
    head = (
        f"OK-ACCESS-KEY: {_one_line(credentials.api_key)}\r\n"
        f"OK-ACCESS-PASSPHRASE: {_one_line(credentials.passphrase)}\r\n"
        "OK-ACCESS-TIMESTAMP: "
    )
    return Seal(head.encode(), Keyed(credentials.secret.encode()))


def target_of(path: str, params: dict[str, str] | None = None) -> str:
    """The path and query as they go out, which is also what is signed."""
    return f"{API}{path}?{urlencode(params, quote_via=quote)}" if params else API + path


@lru_cache(4)
def stamp_of(now_ms: int) -> bytes:
    seconds, rest = divmod(now_ms, 1000)
    return b"%b.%03dZ" % (_second(seconds), rest)


@lru_cache(4)
def _second(seconds: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode()


def _one_line(text: str) -> str:
    if text and min(text) < _FIRST_PRINTABLE:
        raise ValueError("a key or passphrase with control characters cannot be sent")
    return text
