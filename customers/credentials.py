"""The one place where an account's key is decrypted; callers are listed in a test."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any, Final, Protocol

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts import audit
from accounts.keyring import SecretUnreadable
from accounts.sealed import SecretMoved


class Keyed(Protocol):
    """A row that holds a key: an account that is traded, or a leader's that is watched."""

    pk: Any
    api_key: Any
    api_secret: Any
    passphrase: Any


class NoKey(LookupError):  # noqa: N818 - says what is wrong
    """The account has no key."""


class UnreadableKey(NoKey):
    """There is one, but this installation cannot decrypt it: as good as none, for this row only."""


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """A key in the clear. Never stored, logged, or passed to a task."""

    api_key: str
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return "StoredKeys(***)"


_noted: Final[set[tuple[int, str]]] = set()
_noting = threading.Lock()


@sensitive_variables()
def credentials_for(account: Keyed, *, purpose: str) -> StoredKeys:
    """The key of an account, for `purpose` ("send", "streams", "verify"). Raises NoKey, also
    for one that cannot be decrypted.

    The diary says once per process and purpose that keys are being read; a line per key and
    order would bury it.
    """
    if account.api_key is None or account.api_secret is None or account.passphrase is None:
        raise NoKey(f"{type(account).__name__} {account.pk} has no key")
    _note(purpose)
    try:
        return StoredKeys(
            account.api_key.reveal(), account.api_secret.reveal(), account.passphrase.reveal()
        )
    except (SecretMoved, SecretUnreadable) as error:
        words = f"the key of {type(account).__name__} {account.pk} cannot be decrypted: {error}"
        raise UnreadableKey(words) from error


def _note(purpose: str) -> None:
    key = (os.getpid(), purpose)
    if key in _noted:
        return
    with _noting:
        if key in _noted:
            return
        with transaction.atomic():
            audit.record(
                action="keys.read",
                tenant=None,
                after={"purpose": purpose, "process": os.getpid()},
                reason="Exchange keys are read by this process from here on.",
            )
        _noted.add(key)
