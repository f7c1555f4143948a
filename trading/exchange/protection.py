"""Take profits and stop losses: what an order brings along and what the exchange says of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class TriggerPrice(StrEnum):
    """The price that is watched. Spot instruments know LAST only."""

    LAST = "last"
    MARK = "mark"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Reached, it becomes a market order."""

    price: Decimal
    watches: TriggerPrice = TriggerPrice.LAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What an opening order brings along: armed by the exchange for what the order fills.

    Once armed it is an algo order of its own under `client_algo_id`.
    """

    client_algo_id: str
    take_profit: Trigger | None = None
    stop_loss: Trigger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionReport:
    """What an order carries. A `fail_code` says why the exchange could not arm it."""

    client_algo_id: str
    attached_id: str
    take_profit: Trigger | None
    stop_loss: Trigger | None
    fail_code: str
    fail_reason: str
