"""The rows of the engine room."""

from __future__ import annotations

from trading.models.actions import Action, ActionAttempt
from trading.models.audits import LedgerAudit
from trading.models.breakers import Breaker
from trading.models.decisions import Cycle, Decision
from trading.models.exchange_status import ClockReading, Maintenance, MarketWatch
from trading.models.flatten import FlattenAccount, FlattenRun
from trading.models.instruments import Instrument, InstrumentVersion, MarketPrice
from trading.models.leases import Heartbeat, JobLease, LeaderLease, SocketLease, StreamLease
from trading.models.limits import Limit, TradingState
from trading.models.orders import ExternalOrder, Fill, Order, OrderAttempt, OrderEvent
from trading.models.positions import Balance, EquitySnapshot, Position
from trading.models.protections import Protection
from trading.models.reconcile import QuarantinedReport, ReconcileRun
from trading.models.repairs import Repair
from trading.models.settlements import Settlement
from trading.models.stops import LossLimit, LossState, MarginThreshold, MarginWatch

__all__ = [
    "Action",
    "ActionAttempt",
    "Balance",
    "Breaker",
    "ClockReading",
    "Cycle",
    "Decision",
    "EquitySnapshot",
    "ExternalOrder",
    "Fill",
    "FlattenAccount",
    "FlattenRun",
    "Heartbeat",
    "Instrument",
    "InstrumentVersion",
    "JobLease",
    "LeaderLease",
    "LedgerAudit",
    "Limit",
    "LossLimit",
    "LossState",
    "Maintenance",
    "MarginThreshold",
    "MarginWatch",
    "MarketPrice",
    "MarketWatch",
    "Order",
    "OrderAttempt",
    "OrderEvent",
    "Position",
    "Protection",
    "QuarantinedReport",
    "ReconcileRun",
    "Repair",
    "Settlement",
    "SocketLease",
    "StreamLease",
    "TradingState",
]
