"""Decrypted keys, kept in this process only, for as long as the account's key is the same."""

from __future__ import annotations

from customers.models import ExchangeAccount
from trading import endpoints
from trading.exchange.types import Credentials

_cache: dict[int, tuple[int, Credentials]] = {}


def keys_of(account: ExchangeAccount) -> Credentials:
    """The account's key, decrypted once per key version. Raises NoKey."""
    held = _cache.get(account.pk)
    if held is not None and held[0] == account.key_version:
        return held[1]
    keys = endpoints.keys_of(account, purpose="send")
    _cache[account.pk] = (account.key_version, keys)
    return keys
