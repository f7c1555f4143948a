"""Decrypted keys, kept in this process only, for as long as the account's key is the same."""

from __future__ import annotations

import logging

from accounts.keyring import SecretUnreadable
from accounts.sealed import SecretMoved
from customers.credentials import NoKey
from customers.models import ExchangeAccount
from trading import endpoints
from trading.exchange.types import Credentials

log = logging.getLogger(__name__)
_cache: dict[int, tuple[int, Credentials]] = {}


def keys_of(account: ExchangeAccount) -> Credentials:
    """The account's key, decrypted once per key version. Raises NoKey."""
    held = _cache.get(account.pk)
    if held is not None and held[0] == account.key_version:
        return held[1]
    try:
        keys = endpoints.keys_of(account, purpose="send")
    except (SecretMoved, SecretUnreadable) as error:
        # As good as none for this account; the orders of all others go on.
        log.error("the key of account %s cannot be decrypted: %s", account.pk, error)
        raise NoKey(f"the key of account {account.pk} cannot be decrypted") from error
    _cache[account.pk] = (account.key_version, keys)
    return keys
