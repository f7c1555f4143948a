"""OKX's signature over one request, made by hand: what ccxt's `sign` would send, and no more."""

from __future__ import annotations

import hmac
import time
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlencode

from trading.exchange.types import Credentials

API = "/api/v5/"
# An account's seal takes about 600 bytes.
_ACCOUNTS = 20_000


@dataclass(frozen=True, slots=True, repr=False)
class Seal:
    """What every request of an account carries, and the key it is signed with."""

    key: bytes
    head: dict[str, str]

    def sign(self, timestamp: str, method: str, target: str, body: bytes = b"") -> str:
        text = (timestamp + method + target).encode() + body
        return b64encode(hmac.digest(self.key, text, "sha256")).decode()

    def headers(self, timestamp: str, method: str, target: str, body: bytes) -> dict[str, str]:
        return self.head | {
            "OK-ACCESS-TIMESTAMP": timestamp,
            "OK-ACCESS-SIGN": self.sign(timestamp, method, target, body),
        }


@lru_cache(_ACCOUNTS)
def seal_of(credentials: Credentials) -> Seal:
    head = {
        "OK-ACCESS-KEY": credentials.api_key,
        "OK-ACCESS-PASSPHRASE": credentials.passphrase,
    }
    return Seal(credentials.secret.encode(), head)


def target_of(path: str, params: dict[str, str] | None = None) -> str:
    """The path and query as they go out, which is also what is signed."""
    return f"{API}{path}?{urlencode(params, quote_via=quote)}" if params else API + path


def timestamp_of(now_ms: int) -> str:
    seconds, rest = divmod(now_ms, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
