"""Who is calling: signatures, clock window, environment, addresses, permissions."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from trading.simulator.codes import OkxError
from trading.simulator.state import Account

WINDOW_MS: Final = 30_000
_BLOCK: Final = 64

_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|\+00:00)", re.ASCII
)
_HEADERS: Final = (
    ("ok-access-key", "50103"),
    ("ok-access-passphrase", "50104"),
    ("ok-access-sign", "50106"),
    ("ok-access-timestamp", "50107"),
)


def sign(secret: str, text: bytes) -> str:
    """HMAC-SHA256 in base64; the secret's part of the work is done once per secret."""
    start, finish = _keyed(secret)
    inner, outer = start.copy(), finish.copy()
    inner.update(text)
    outer.update(inner.digest())
    return base64.b64encode(outer.digest()).decode()


@lru_cache(maxsize=20_000)
def _keyed(secret: str) -> tuple[Any, Any]:
    """The two hashes of HMAC after they have taken the key (RFC 2104)."""
    key = secret.encode()
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    key = key.ljust(_BLOCK, b"\0")
    return (
        hashlib.sha256(bytes(each ^ 0x36 for each in key)),
        hashlib.sha256(bytes(each ^ 0x5C for each in key)),
    )


def check_rest(
    accounts: Mapping[str, Account], headers: Mapping[str, str], signed: bytes, now_ms: int
) -> Account:
    """The caller's account. `signed` is method, raw path with query and raw body;
    headers are named in lower case.

    Refusals come in this order: a missing header, unknown key, timestamp form,
    timestamp window, passphrase, signature.
    """
    for name, code in _HEADERS:
        if not headers.get(name):
            raise OkxError(code)
    account = accounts.get(headers["ok-access-key"])
    if account is None:
        raise OkxError("50111")
    timestamp = headers["ok-access-timestamp"]
    if abs(_parse_timestamp(timestamp) - now_ms) > WINDOW_MS:
        raise OkxError("50102")
    if not _same(headers["ok-access-passphrase"], account.passphrase):
        raise OkxError("50105")
    wanted = sign(account.secret, timestamp.encode() + signed)
    if not _same(headers["ok-access-sign"], wanted):
        raise OkxError("50113")
    return account


def check_access(account: Account, ip: str, simulated: str, permission: str) -> None:
    """Address, environment and permission, after the signature held."""
    if not _may_come_from(account, ip):
        raise OkxError("50110", ip)
    demo = simulated == "1"
    if (account.env == "demo" and not demo) or (account.env == "live" and demo):
        raise OkxError("50101")
    if permission not in account.perm.split(","):
        raise OkxError("50120")


def check_known(accounts: Mapping[str, Account], account: Account) -> None:
    """The key may have been deleted while its call was on the way."""
    if accounts.get(account.key) is not account:
        raise OkxError("50111")


def check_login(accounts: Mapping[str, Account], login: Any, ip: str, now_ms: int) -> Account:
    """One WebSocket login: epoch seconds as text or number, with or without decimals."""
    if not isinstance(login, dict):
        raise OkxError("60013")
    values = {name: _text(login.get(name)) for name in ("apiKey", "passphrase", "sign")}
    if not values["apiKey"]:
        raise OkxError("60005")
    account = accounts.get(values["apiKey"])
    if account is None:
        raise OkxError("60032")
    timestamp = _text(login.get("timestamp"))
    if abs(_epoch_ms(timestamp) - now_ms) > WINDOW_MS:
        raise OkxError("60006")
    if not _same(values["passphrase"], account.passphrase):
        raise OkxError("60024")
    wanted = sign(account.secret, f"{timestamp}GET/users/self/verify".encode())
    if not _same(values["sign"], wanted):
        raise OkxError("60007")
    if not _may_come_from(account, ip):
        raise OkxError("60009")
    return account


def _may_come_from(account: Account, ip: str) -> bool:
    return not account.ip or ip in account.ip.split(",")


def _parse_timestamp(text: str) -> int:
    if not _TIMESTAMP.fullmatch(text):
        raise OkxError("50112")
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise OkxError("50112") from error
    return int(parsed.timestamp() * 1000)


def _epoch_ms(text: str) -> int:
    try:
        seconds = Decimal(text)
    except InvalidOperation as error:
        raise OkxError("60004") from error
    if not seconds.is_finite() or not 0 < seconds < 10**11:
        raise OkxError("60004")
    return int(seconds * 1000)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(
        given.encode(errors="surrogatepass"), wanted.encode(errors="surrogatepass")
    )
