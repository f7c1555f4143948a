"""The simulator's control API, as far as the platform needs it: plain HTTP, one try."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from customers.enums import PositionMode

TIMEOUT_S: Final = 5
_LONGEST: Final = 1_000_000
_LONGEST_PAGE: Final = 50_000_000
_POSITION_MODES: Final = {
    PositionMode.NET: "net_mode",
    PositionMode.LONG_SHORT: "long_short_mode",
}
# What the simulator calls a field, where a form of ours has another name for it.
_FIELDS: Final = {"amount": "amount", "ccy": "currency"}


class SimulatorError(ValidationError):
    """The simulator did not do it, and nothing was changed."""


class SimulatorAwayError(SimulatorError):
    """Nobody listens at the configured address."""


class SimulatorSilentError(SimulatorError):
    """It was asked and did not answer: nobody knows whether it was done."""


class UnknownAccountError(SimulatorError):
    """The simulator has no such account: its ledger was lost."""


def is_configured() -> bool:
    return bool(settings.SIMULATOR_CONTROL_URL)


def open_account(
    *,
    key: str,
    secret: str,
    passphrase: str,
    balances: Mapping[str, str],
    position_mode: str,
) -> bool:
    """Open the account unless it is there; True when it was not. May be repeated."""
    answer = _ask(
        "POST",
        "/accounts",
        {
            "key": key,
            "secret": secret,
            "passphrase": passphrase,
            "balances": dict(balances),
            "pos_mode": _POSITION_MODES[PositionMode(position_mode)],
        },
    )
    return bool(answer.get("created"))


def deposit(key: str, currency: str, amount: Decimal) -> None:
    """Pay in, or out when the amount is negative. Not to be repeated: it would be paid twice."""
    _ask("POST", f"{_place(key)}/deposit", {"ccy": currency, "amount": f"{amount:f}"})


def reset(key: str, balances: Mapping[str, str]) -> None:
    """Cancel its orders, remove its positions, set its balances. May be repeated."""
    _ask("POST", f"{_place(key)}/reset", {"balances": dict(balances)})


def close(key: str) -> None:
    """Forget the account. May be repeated."""
    try:
        _ask("DELETE", _place(key))
    except UnknownAccountError:
        return


def ledger(after: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """Entries with a greater number, and where the next page begins: None after the last."""
    answer = _ask("GET", f"/ledger?after={after}&limit={limit}", longest=_LONGEST_PAGE)
    entries, following = answer.get("entries"), answer.get("next")
    if not isinstance(entries, list):
        raise SimulatorError(_("The simulator's ledger cannot be read."))
    return entries, following if isinstance(following, int) else None


def _place(key: str) -> str:
    return f"/accounts/{quote(key, safe='')}"


def _ask(
    method: str, path: str, body: Mapping[str, Any] | None = None, *, longest: int = _LONGEST
) -> dict[str, Any]:
    address = urlsplit(settings.SIMULATOR_CONTROL_URL)
    if not address.hostname:
        raise SimulatorError(_("No simulator is configured."))
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    kind = kinds.get(address.scheme, http.client.HTTPConnection)
    connection = kind(address.hostname, address.port, timeout=TIMEOUT_S)
    try:
        connection.connect()
    except OSError as error:
        raise SimulatorAwayError(
            _("The simulator cannot be reached. Nothing was changed; try again later.")
        ) from error
    try:
        connection.request(
            method,
            address.path.rstrip("/") + path,
            None if body is None else json.dumps(body),
            _headers(),
        )
        response = connection.getresponse()
        status, text = response.status, response.read(longest)
    except (OSError, http.client.HTTPException) as error:
        raise SimulatorSilentError(
            _("The simulator did not answer. Look at the account before you try again.")
        ) from error
    finally:
        connection.close()
    return _read(status, text)


def _headers() -> dict[str, str]:
    token = settings.SIMULATOR_CONTROL_TOKEN
    headers = {"Content-Type": "application/json"}
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def _read(status: int, text: bytes) -> dict[str, Any]:
    """The answer of a call that was done. Raises SimulatorError for every other."""
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    said = answer if isinstance(answer, dict) else {}
    match status:
        case 200 if isinstance(answer, dict):
            return answer
        case 401 | 403:
            raise SimulatorError(_("The simulator does not take our control token."))
        case 404:
            raise UnknownAccountError(
                _("The simulator does not know this account. Have it opened again.")
            )
    words = _("The simulator refused: %(why)s") % {"why": said.get("error") or f"HTTP {status}"}
    field = _FIELDS.get(str(said.get("field")))
    raise SimulatorError({field: words} if field else words)
