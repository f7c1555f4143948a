"""What every write of the exchange's news shares: the account's claim, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import partial
from typing import Any

from django.db import models, transaction

from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from trading.events import account_changed
from trading.faults import faultpoint
from trading.leases import db_now
from trading.models import Instrument

_STORED = Decimal(1).scaleb(-18)
_WIDE = Context(prec=120, rounding=ROUND_HALF_EVEN)


class Contended(RuntimeError):  # noqa: N818 - says what happened
    """Another writer was faster several times over: apply the same news again."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of some news."""

    changed: tuple[uuid.UUID, ...] = ()  # orders
    finished: tuple[uuid.UUID, ...] = ()  # of these, the ones that became final
    fills: int = 0
    rows: int = 0  # positions, balances, equity snapshots
    external: int = 0  # orders that are not ours, new or changed
    quarantined: int = 0

    def __add__(self, other: Applied) -> Applied:
        return Applied(
            changed=tuple(dict.fromkeys(self.changed + other.changed)),
            finished=tuple(dict.fromkeys(self.finished + other.finished)),
            fills=self.fills + other.fills,
            rows=self.rows + other.rows,
            external=self.external + other.external,
            quarantined=self.quarantined + other.quarantined,
        )

    @property
    def writes(self) -> int:
        """How many rows differ from before."""
        return len(self.changed) + self.fills + self.rows + self.external


@contextmanager
def claimed(account: ExchangeAccount) -> Iterator[datetime]:
    """One transaction in the account's desk, alone with the account; gives the database's time.

    The row lock makes "look it up, then insert" safe on MySQL; on SQLite there is one writer.
    """
    with tenant_scope(account.tenant_id), transaction.atomic():
        ExchangeAccount.objects.select_for_update().only("id").get(pk=account.pk)
        yield db_now()
        faultpoint("S8.before_commit")
    faultpoint("S8.committed")


def announce(account: ExchangeAccount, applied: Applied) -> Applied:
    """Tell after the commit that the account looks different, if it does."""
    if applied.writes:
        transaction.on_commit(
            partial(account_changed.send_robust, ExchangeAccount, account_id=account.pk)
        )
    return applied


def known_instruments(market: str, inst_ids: Collection[str]) -> frozenset[str]:
    """Which of these the market lists. MySQL compares without case, so the names come back."""
    if not inst_ids:
        return frozenset()
    rows = Instrument.objects.filter(market=market, inst_id__in=set(inst_ids))
    return frozenset(rows.values_list("inst_id", flat=True)) & frozenset(inst_ids)


def differing(row: models.Model, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The columns whose stored value is not the wanted one."""
    return {
        name: value for name, value in wanted.items() if stored(getattr(row, name)) != stored(value)
    }


def stored(value: Any) -> Any:
    """A value as it will come back from its column."""
    return value.quantize(_STORED, context=_WIDE) if isinstance(value, Decimal) else value
