"""Accounts that the simulator lost are opened again before their key is checked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from accounts.tenancy import all_tenants, tenant_scope
from customers.credentials import NoKey
from customers.enums import AccountStatus, KeyStatus, Market, PositionMode
from customers.models import ExchangeAccount
from trading.endpoints import keys_of
from trading.leases import db_now
from trading.paper import control
from trading.paper.books import start_over

AT_ONCE: Final = 50

log = logging.getLogger(__name__)


def ensure_opened(account_ids: Sequence[int] | None = None) -> int:
    """See to it that paper accounts whose key waits for its check exist at the simulator.

    Without ids, those that were not looked at for longest. Returns how many were opened
    again; that the simulator is away is no error: the check will say so. May be repeated.
    """
    if not control.is_configured():
        return 0
    opened = 0
    try:
        for account in _waiting(account_ids):
            opened += _ensure(account)
    except control.SimulatorAwayError as error:
        log.warning("Paper accounts could not be looked after: %s", error.messages[0])
    return opened


def _waiting(account_ids: Sequence[int] | None) -> list[ExchangeAccount]:
    with all_tenants("a key check is told only the account"):
        rows = ExchangeAccount.objects.filter(
            market=Market.SIMULATOR, key_status=KeyStatus.PENDING
        ).exclude(status=AccountStatus.ARCHIVED)
        if account_ids is not None:
            rows = rows.filter(pk__in=account_ids)
        found = rows.order_by("updated_at")[:AT_ONCE]
        return [account for account in found if account.is_paper]


def _ensure(account: ExchangeAccount) -> bool:
    with tenant_scope(account.tenant_id):
        since = db_now()
        try:
            keys = keys_of(account, purpose="paper")
            is_new = control.open_account(
                key=keys.api_key,
                secret=keys.secret,
                passphrase=keys.passphrase,
                balances=account.paper_balances,
                position_mode=account.position_mode or PositionMode.NET,
            )
        except control.SimulatorAwayError:
            raise
        except (NoKey, control.SimulatorError) as error:
            log.warning("Paper account %s could not be opened: %s", account.pk, error)
            return False
        if is_new:
            start_over(
                account_id=account.pk,
                action="account.paper_reopened",
                since=since,
                balances=account.paper_balances,
                actor=None,
                reason="The simulator had lost the account and its history.",
            )
        return is_new
