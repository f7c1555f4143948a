"""The ring of field keys: the first encrypts, all decrypt, and every text names its key."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class SecretUnreadable(RuntimeError):  # noqa: N818 (says what happened)
    """No key of the ring opens this text."""


def parse_keys(entries: Sequence[str] | str) -> dict[str, str]:
    """`id2:key,id1:key` (or the list of such entries) as an ordered mapping of id to key."""
    if isinstance(entries, str):
        entries = entries.split(",")
    keys: dict[str, str] = {}
    for entry in filter(None, (entry.strip() for entry in entries)):
        key_id, found, key = entry.partition(":")
        if not found or not key_id.isalnum() or not key:
            raise ImproperlyConfigured("FIELD_KEYS must read id:key,id:key with plain ids")
        if key_id in keys:
            raise ImproperlyConfigured(f"FIELD_KEYS names the key id {key_id} twice")
        keys[key_id] = key
    if not keys:
        raise ImproperlyConfigured("FIELD_KEYS is empty")
    return keys


def key_ids() -> tuple[str, ...]:
    """The ids of the ring, the encrypting one first."""
    return tuple(_ring())


def encrypt(text: bytes) -> bytes:
    key_id, fernet = next(iter(_ring().items()))
    return key_id.encode() + b":" + fernet.encrypt(text)


def decrypt(sealed: bytes) -> bytes:
    key_id, _, token = sealed.partition(b":")
    fernet = _ring().get(key_id.decode("ascii", "replace"))
    if fernet is None:
        raise SecretUnreadable(f"the field key {key_id!r} is not in FIELD_KEYS")
    try:
        return fernet.decrypt(token)
    except InvalidToken as error:
        raise SecretUnreadable("a sealed text was damaged or its key replaced") from error


def fingerprint(value: str) -> str:
    """A keyed hash that tells equal secrets apart from others and survives key rotation."""
    return hmac.new(_fingerprint_key(), value.encode(), hashlib.sha256).hexdigest()


def _fingerprint_key() -> bytes:
    own = getattr(settings, "FINGERPRINT_KEY", None)
    if own:
        return str(own).encode()
    return hmac.digest(str(settings.ORDER_ID_KEY).encode(), b"copydesk fingerprint", "sha256")


def _ring() -> Mapping[str, Fernet]:
    entries: Any = settings.FIELD_KEYS
    return _build(entries if isinstance(entries, str) else tuple(entries))


@lru_cache(maxsize=8)
def _build(entries: str | tuple[str, ...]) -> Mapping[str, Fernet]:
    return {key_id: Fernet(_fernet_key(key)) for key_id, key in parse_keys(entries).items()}


def _fernet_key(key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())
