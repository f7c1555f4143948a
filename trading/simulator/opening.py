"""Opening accounts: from the command line or from the control API."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, Final

from trading.simulator.decimals import parse_number
from trading.simulator.exchange import Exchange
from trading.simulator.requests import Numeral
from trading.simulator.state import Account
from trading.simulator.upkeep import record_deposit

_CCY: Final = re.compile(r"[A-Z0-9]{1,12}", re.ASCII)
_PERMISSIONS: Final = frozenset(("read_only", "trade", "withdraw"))
_LONGEST: Final = 128
_MOST: Final = Decimal(10) ** 15


class BadAccountError(ValueError):
    """The description of an account cannot be used; `field` names the part."""

    def __init__(self, field_name: str, why: str) -> None:
        self.field = field_name
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Opening:
    """A futures-mode account in net mode that reads and trades, unless told otherwise."""

    key: str
    secret: str
    passphrase: str
    balances: dict[str, Decimal] = field(default_factory=dict)
    acct_lv: str = "2"
    pos_mode: str = "net_mode"
    perm: str = "read_only,trade"
    ip: str = ""
    env: str = "any"
    label: str = "simulator"


def open_account(exchange: Exchange, wanted: Opening) -> tuple[Account, bool]:
    """The account and whether it is new; the same key with the same secret is the same account."""
    known = exchange.state.accounts.get(wanted.key)
    if known is not None:
        if (known.secret, known.passphrase) != (wanted.secret, wanted.passphrase):
            raise BadAccountError("key", "this key exists with another secret or passphrase")
        return known, False
    now = exchange.clock.ms()
    exchange.record(
        {
            "kind": "account",
            "ts": now,
            "account": wanted.key,
            "secret": wanted.secret,
            "passphrase": wanted.passphrase,
            "uid": _uid(wanted.key),
            "label": wanted.label,
            "acct_lv": wanted.acct_lv,
            "pos_mode": wanted.pos_mode,
            "perm": wanted.perm,
            "ip": wanted.ip,
            "env": wanted.env,
        }
    )
    for ccy, amount in wanted.balances.items():
        record_deposit(exchange, wanted.key, ccy, amount)
    return exchange.state.accounts[wanted.key], True


def read_opening(body: dict[str, Any]) -> Opening:
    """A JSON description, checked field by field."""
    return Opening(
        key=_name(body, "key"),
        secret=_name(body, "secret"),
        passphrase=_name(body, "passphrase"),
        balances=_balances(body.get("balances")),
        acct_lv=_choice(body, "acct_lv", ("2", "1", "3", "4")),
        pos_mode=_choice(body, "pos_mode", ("net_mode", "long_short_mode")),
        perm=_perm(body.get("perm")),
        ip=_ip(body.get("ip")),
        env=_choice(body, "env", ("any", "demo", "live")),
        label=_label(body.get("label", "simulator")),
    )


def read_changes(body: dict[str, Any]) -> dict[str, str | bool]:
    """The settings of an account that may change later; only those that are given."""
    unknown = sorted(set(body) - set(_CHANGEABLE))
    if unknown:
        raise BadAccountError(unknown[0], f"one of {', '.join(_CHANGEABLE)} is expected")
    if not body:
        raise BadAccountError("", f"one of {', '.join(_CHANGEABLE)} is expected")
    return {name: _CHANGEABLE[name](body) for name in body}


def read_balances(body: dict[str, Any]) -> dict[str, Decimal] | None:
    """The balances an account is reset to, or None to leave them."""
    return None if body.get("balances") is None else _balances(body["balances"])


def read_movement(body: dict[str, Any]) -> tuple[str, Decimal]:
    """Currency and amount of a deposit; a negative amount is a withdrawal."""
    ccy, text = body.get("ccy"), body.get("amount")
    if not isinstance(ccy, str) or not _CCY.fullmatch(ccy):
        raise BadAccountError("ccy", "a currency such as USDT is expected")
    size = parse_number(text.removeprefix("-")) if isinstance(text, str) else None
    if not size or size > _MOST:
        raise BadAccountError("amount", "an amount other than 0 is expected, negative to withdraw")
    return ccy, -size if str(text).startswith("-") else size


def parse_account(text: str) -> Opening:
    """`KEY:SECRET:PASSPHRASE:USDT` as on the command line."""
    parts = text.split(":")
    if len(parts) != 4:  # noqa: PLR2004 - the four parts named above
        raise BadAccountError("account", "KEY:SECRET:PASSPHRASE:USDT is expected")
    key, secret, passphrase, usdt = parts
    return read_opening(
        {"key": key, "secret": secret, "passphrase": passphrase, "balances": {"USDT": usdt}}
    )


def _name(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not _is_text(value) or not value or len(value) > _LONGEST or not value.isprintable():
        raise BadAccountError(name, "text is expected")
    return str(value)


def _balances(value: Any) -> dict[str, Decimal]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadAccountError("balances", "an object of currency and amount is expected")
    return {ccy: _amount(ccy, amount) for ccy, amount in value.items()}


def _amount(ccy: str, value: Any) -> Decimal:
    if not _CCY.fullmatch(ccy):
        raise BadAccountError("balances", "a currency such as USDT is expected")
    amount = parse_number(value) if isinstance(value, str) else None
    if amount is None or amount > _MOST:
        raise BadAccountError("balances", f"the amount of {ccy} is not usable")
    return amount


def _choice(body: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    """The first allowed value is the default."""
    value = body.get(name)
    if value in (None, ""):
        return allowed[0]
    if value not in allowed:
        raise BadAccountError(name, f"one of {', '.join(allowed)} is expected")
    return str(value)


def _label(value: Any) -> str:
    if not _is_text(value) or len(value) > _LONGEST or not value.isprintable():
        raise BadAccountError("label", "text is expected")
    return str(value)


def _frozen(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadAccountError("frozen", "true or false is expected")
    return value


def _perm(value: Any) -> str:
    if value in (None, ""):
        return "read_only,trade"
    parts = _texts("perm", value)
    if not _PERMISSIONS.issuperset(parts):
        raise BadAccountError("perm", "read_only, trade and withdraw are known")
    return ",".join(parts)


def _ip(value: Any) -> str:
    if value in (None, ""):
        return ""
    parts = _texts("ip", value)
    try:
        return ",".join(str(ip_address(each)) for each in parts)
    except ValueError as error:
        raise BadAccountError("ip", "addresses are expected") from error


def _texts(name: str, value: Any) -> list[str]:
    """A list of texts, or one text with commas."""
    parts = value.split(",") if _is_text(value) else value
    if not isinstance(parts, list) or not all(_is_text(each) for each in parts):
        raise BadAccountError(name, "text or a list of texts is expected")
    return [each.strip() for each in parts]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Numeral)


def _uid(key: str) -> str:
    digest = hashlib.sha256(key.encode()).digest()
    return str(10**17 + int.from_bytes(digest[:7], "big"))


_CHANGEABLE: Final[dict[str, Callable[[dict[str, Any]], str | bool]]] = {
    "acct_lv": lambda body: _choice(body, "acct_lv", ("2", "1", "3", "4")),
    "env": lambda body: _choice(body, "env", ("any", "demo", "live")),
    "frozen": lambda body: _frozen(body["frozen"]),
    "ip": lambda body: _ip(body["ip"]),
    "label": lambda body: _label(body["label"]),
    "perm": lambda body: _perm(body["perm"]),
}
