"""Decrypted keys, kept in this process only, for as long as the account's key is the same."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from customers.credentials import NoKey, UnreadableKey
from customers.models import ExchangeAccount
from trading import endpoints
from trading.exchange.types import Credentials

KEY_COLUMNS = ("tenant_id", "uid", "key_version", "api_key", "api_secret", "passphrase")

log = logging.getLogger(__name__)
_cache: dict[int, tuple[int, Credentials]] = {}
_refused: dict[int, int] = {}


class Keyed(Protocol):
    """An account, or as much of it as says which key it has."""

    @property
    def pk(self) -> int: ...
    @property
    def key_version(self) -> int: ...


def keys_of(account: Keyed | ExchangeAccount) -> Credentials:
    """The account's key, decrypted once per key version. Raises NoKey."""
    found = keys_of_all([account])
    if account.pk not in found:
        raise NoKey(f"account {account.pk} has no key that can be read")
    return found[account.pk]


def keys_of_all(accounts: Iterable[Keyed | ExchangeAccount]) -> dict[int, Credentials]:
    """The keys of these accounts; those that have none, or none that can be read, are left out.

    One query for all that are not known yet, in the scope that is open.
    """
    wanted = {account.pk: account.key_version for account in accounts}
    missing = [pk for pk, version in wanted.items() if _cache.get(pk, (None,))[0] != version]
    if missing:
        rows = ExchangeAccount.objects.filter(pk__in=missing).order_by().only(*KEY_COLUMNS)
        for account in rows:
            _decrypt(account)
    return {pk: _cache[pk][1] for pk, version in wanted.items() if pk in _cache}


def is_known(account: Keyed) -> bool:
    """Is the account's present key decrypted already, and not known to be refused?"""
    known = _cache.get(account.pk, (None,))[0] == account.key_version
    return known and not is_refused(account)


def refuse(account: Keyed) -> None:
    """The exchange refused this key: no new order leaves with it until `forget`."""
    _refused[account.pk] = account.key_version


def is_refused(account: Keyed) -> bool:
    """Was the key refused just now, and is its account not paused yet?"""
    return _refused.get(account.pk) == account.key_version


def forget(account_id: int) -> None:
    """The account is paused for its key: read it again next time."""
    _refused.pop(account_id, None)
    _cache.pop(account_id, None)


def _decrypt(account: ExchangeAccount) -> None:
    _cache.pop(account.pk, None)
    try:
        keys = endpoints.keys_of(account, purpose="send")
    except UnreadableKey as error:
        log.error("account %s: %s", account.pk, error)
        return
    except NoKey:
        return
    _cache[account.pk] = (account.key_version, keys)
