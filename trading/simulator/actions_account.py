"""Actions on accounts: open, fund, reset, change, remove, and orders from outside."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, NamedTuple

from trading.simulator import opening, operations, upkeep
from trading.simulator.actions import Action, performing
from trading.simulator.codes import OkxError
from trading.simulator.control_accounts import named, summary
from trading.simulator.control_input import BadInputError, Handlers, only
from trading.simulator.decimals import plain
from trading.simulator.hub import Hub
from trading.simulator.opening import Opening
from trading.simulator.requests import Params, read_order

Row = dict[str, Any]

_KEY_SETTINGS: Final = frozenset(("perm", "ip", "env"))


class _Movement(NamedTuple):
    key: str
    ccy: str
    amount: Decimal


class _Reset(NamedTuple):
    key: str
    balances: dict[str, Decimal] | None


class _Change(NamedTuple):
    key: str
    changes: dict[str, str | bool]


class _Order(NamedTuple):
    key: str
    terms: Row


def _open(hub: Hub, wanted: Opening) -> Row:
    account, made = opening.open_account(hub.venue.exchange, wanted)
    return {"key": account.key, "uid": account.uid, "created": made}


def _read_deposit(body: Row) -> _Movement:
    only(body, "key", "ccy", "amount")
    return _Movement(_key(body), *opening.read_movement(body))


def _deposit(hub: Hub, wanted: _Movement) -> Row:
    account = named(hub, wanted.key)
    upkeep.deposit(hub.venue.exchange, account, wanted.ccy, wanted.amount)
    return {"ccy": wanted.ccy, "balance": plain(account.balances[wanted.ccy])}


def _read_reset(body: Row) -> _Reset:
    only(body, "key", "balances")
    return _Reset(_key(body), opening.read_balances(body))


def _reset(hub: Hub, wanted: _Reset) -> Row:
    account = named(hub, wanted.key)
    upkeep.reset(hub.venue.exchange, account, wanted.balances)
    return summary(hub, account)


def _read_change(body: Row) -> _Change:
    changes = {name: value for name, value in body.items() if name != "key"}
    return _Change(_key(body), opening.read_changes(changes))


def _change(hub: Hub, wanted: _Change) -> Row:
    account = named(hub, wanted.key)
    upkeep.change(hub.venue.exchange, account, wanted.changes)
    if _KEY_SETTINGS & set(wanted.changes):
        hub.key_changed(account)
    return summary(hub, account)


def _read_key(body: Row) -> str:
    only(body, "key")
    return _key(body)


def _remove(hub: Hub, key: str) -> Row:
    account = named(hub, key)
    upkeep.remove(hub.venue.exchange, account)
    hub.key_changed(account)
    return {"key": key, "removed": True}


def _read_order(body: Row) -> _Order:
    """The parameters of OKX's place-order; what the account may not do is told by its row."""
    terms = {name: value for name, value in body.items() if name != "key"}
    try:
        read_order(Params(terms))
    except OkxError as error:
        raise BadInputError("order", f"{error.code} {error.message}") from error
    return _Order(_key(body), terms)


def _order(hub: Hub, wanted: _Order) -> Row:
    """An order that came from elsewhere: the app, another program, a person."""
    account = named(hub, wanted.key)
    answer = operations.run(hub.venue, operations.place, account, [wanted.terms], single=True)
    return dict(answer.data[0])


def _key(body: Row) -> str:
    key = body.get("key")
    if not isinstance(key, str) or not key:
        raise BadInputError("key", "the key of an account is expected")
    return str(key)


ACTIONS: Final[dict[str, Action]] = {
    "account": Action(opening.read_opening, _open),
    "deposit": Action(_read_deposit, _deposit),
    "reset": Action(_read_reset, _reset),
    "change": Action(_read_change, _change),
    "remove": Action(_read_key, _remove),
    "order": Action(_read_order, _order),
}
HANDLERS: Final[Handlers] = {
    ("POST", "/accounts"): performing(ACTIONS["account"]),
    ("PATCH", "/accounts/*"): performing(ACTIONS["change"]),
    ("DELETE", "/accounts/*"): performing(ACTIONS["remove"]),
    ("POST", "/accounts/*/deposit"): performing(ACTIONS["deposit"]),
    ("POST", "/accounts/*/reset"): performing(ACTIONS["reset"]),
    ("POST", "/accounts/*/orders"): performing(ACTIONS["order"]),
}
