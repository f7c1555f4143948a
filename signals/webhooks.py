"""Whether a call comes from a source of ours: signatures, tokens and their secrets."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest

from accounts.fields import hash_identity
from accounts.sealed import Secret
from accounts.tenancy import all_tenants
from signals.afterwards import Counts, count
from signals.enums import Dialect
from signals.looked_up import once
from signals.models import SignalSource
from signals.parsing import secret_in

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_NONCE: Final = re.compile(r"[!-~]{8,128}")
_SIGNATURE: Final = re.compile(r"v1=[0-9a-f]{64}")
# Compared with when there is no source, so that an unknown address takes as long. Nobody knows
# it, or it would open every source that has no secret.
_NOBODYS: Final = secrets.token_urlsafe(32)
_NAMES: Final = ("X-Copydesk-Timestamp", "X-Copydesk-Nonce", "X-Copydesk-Signature")


class NotAuthentic(Exception):  # noqa: N818 - says what is wrong
    """Not a call of ours. The answer never tells why."""


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    timestamp: str
    nonce: str
    signature: str

    def is_fresh(self, now: datetime) -> bool:
        age = abs(now.timestamp() - int(self.timestamp))
        return bool(age <= settings.WEBHOOK_HEADER_WINDOW_S)


def sign(secret: str, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature header of a body, as a sender makes it."""
    message = f"{timestamp}.{nonce}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def source_of_signed(
    request: HttpRequest, source_uid: str, body: bytes, now: datetime
) -> tuple[SignalSource, str]:
    """The source that signed this call, and its nonce. Raises NotAuthentic."""
    headers = _signed_headers(request)
    source = _find("uid", _uuid(source_uid))
    expected = [sign(secret, headers.timestamp, headers.nonce, body) for secret in _secrets(source)]
    if source is None or not (_is_one_of(headers.signature, expected) and headers.is_fresh(now)):
        raise _counted(source)
    return source, headers.nonce


def source_of_token(token: str, body: bytes) -> SignalSource:
    """The source with this address whose secret the body names. Raises NotAuthentic."""
    source = _find("token_hash", hash_identity(token))
    # An unknown address costs a reading of the body as well.
    dialect = Dialect.COPYDESK if source is None else Dialect(source.dialect)
    named = secret_in(dialect, body)
    if source is None or not _is_one_of(named, _secrets(source)):
        raise _counted(source)
    return source


def without_own_secrets(source: SignalSource, text: str) -> str:
    """The payload to be kept: a sender may put its secret under a name that does not tell."""
    for secret in _secrets(source):
        text = text.replace(secret, "***")
    return text


def _signed_headers(request: HttpRequest) -> SignedHeaders:
    headers = SignedHeaders(*(request.headers.get(name, "") for name in _NAMES))
    well_formed = (
        _TIMESTAMP.fullmatch(headers.timestamp)
        and _NONCE.fullmatch(headers.nonce)
        and _SIGNATURE.fullmatch(headers.signature)
    )
    # What is malformed is compared like the rest, and never matches.
    return headers if well_formed else SignedHeaders("0", "malformed", "v1=")


def _find(field: str, value: uuid.UUID | str) -> SignalSource | None:
    def read() -> SignalSource | None:
        with all_tenants("the address of a call names its source before its desk is known"):
            found: SignalSource | None = (
                SignalSource.objects.filter(**{field: value}).select_related("tenant").first()
            )
        return found

    return once(("source", value), read)


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


def _secrets(source: SignalSource | None) -> list[str]:
    if source is None:
        return [_NOBODYS]

    def reveal() -> list[str]:
        stored = (source.secret, source.previous_secret)
        return [secret.reveal() for secret in stored if isinstance(secret, Secret)]

    return once(("secrets", source.pk), reveal) or [_NOBODYS]


def _is_one_of(given: str, expected: list[str]) -> bool:
    """Compare with every one of them, each in constant time."""
    matches = [hmac.compare_digest(given.encode(), each.encode()) for each in expected]
    return any(matches)


def _counted(source: SignalSource | None) -> NotAuthentic:
    """Count the call with its source; with none, ask for as much work of the database."""
    with suppress(DatabaseError):  # a counter is not worth an answer of another kind
        count(0 if source is None else source.pk, Counts(refused=1))
    return NotAuthentic()
