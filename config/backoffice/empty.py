"""What the lists say while they are empty: what will be here, and the one next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Empty:
    """`view` is a page of the admin that `label` leads to."""

    title: Any
    next: Any = ""
    view: str = ""
    label: Any = ""


_SOURCES = ("signals_signalsource_changelist", _("Sources"))
_SUBSCRIPTIONS = ("strategies_subscription_changelist", _("Subscriptions"))
_SWITCH = ("switch", _("Trading switch"))

EMPTY: Final[dict[str, Empty]] = {
    "signals.Signal": Empty(
        _("No signals yet."), _("Connect a source; each signal of it is listed here."), *_SOURCES
    ),
    "trading.Decision": Empty(
        _("Nothing decided yet."),
        _("Let an account follow a strategy: each signal is decided for each."),
        *_SUBSCRIPTIONS,
    ),
    "trading.Order": Empty(
        _("No orders yet."),
        _("Orders come from signals that are copied, and from trades of the staff."),
        "manual_signal",
        _("Manual signal"),
    ),
    "trading.Fill": Empty(
        _("No fills yet."),
        _("What OKX fills of our orders, and of others on these accounts, is listed here."),
    ),
    "trading.Position": Empty(
        _("No positions."),
        _("What accounts hold at OKX appears here as soon as their private socket tells it."),
        "customers_exchangeaccount_changelist",
        _("Exchange accounts"),
    ),
    "trading.Protection": Empty(
        _("No take profits or stop losses."),
        _("Open a position to place one, or let a strategy attach them to its openings."),
        "trading_position_changelist",
        _("Positions"),
    ),
    "trading.Balance": Empty(
        _("No balances yet."),
        _("They are read once an account's key is verified."),
        "customers_exchangeaccount_changelist",
        _("Exchange accounts"),
    ),
    "trading.ExternalOrder": Empty(
        _("No orders of others."),
        _("What customers trade by themselves is recorded here, and never touched."),
    ),
    "customers.Customer": Empty(
        _("No customers yet."), _("Add one, then its exchange account and API key.")
    ),
    "customers.ExchangeAccount": Empty(
        _("No exchange accounts yet."),
        _("Add one for a customer, with a key that may trade and not withdraw."),
    ),
    "signals.SignalSource": Empty(
        _("No sources yet."), _("Add a webhook, or watch a leader's own account.")
    ),
    "signals.LeaderAccount": Empty(
        _("No leader accounts yet."),
        _("Add one with a key that only reads: every trade of it becomes a signal."),
    ),
    "strategies.Strategy": Empty(
        _("No strategies yet."),
        _("A strategy listens to sources and says how their signals are copied."),
    ),
    "strategies.Subscription": Empty(
        _("Nobody follows anything yet."), _("Let an account follow a strategy.")
    ),
    "trading.Instrument": Empty(
        _("No instruments yet."),
        _("The market process reads them from OKX: look whether it runs."),
        "trading_heartbeat_changelist",
        _("Processes"),
    ),
    "trading.InstrumentVersion": Empty(
        _("The rules never changed."),
        _("When OKX changes lots, ticks or minimums, what was valid before is kept here."),
    ),
    "trading.Limit": Empty(
        _("No limits of the desk's own."),
        _("What the installation allows at most holds all the same; see above."),
    ),
    "trading.LossLimit": Empty(
        _("No loss limits."),
        _("Add one to stop openings once a day, a week or a month has lost too much."),
    ),
    "trading.LossState": Empty(
        _("Nothing measured yet."),
        _("Each loss limit shows here how far it is used, account by account."),
        "trading_losslimit_changelist",
        _("Loss limits"),
    ),
    "trading.MarginThreshold": Empty(
        _("The installation's thresholds hold."),
        _("Add one to be told earlier, or later, that a position nears its liquidation."),
    ),
    "trading.Breaker": Empty(
        _("No breaker has opened."),
        _("They open by themselves when an account or a market fails again and again."),
    ),
    "trading.TradingState": Empty(
        _("Everything is active."),
        _("Where trading is stopped or reduced is listed here."),
        *_SWITCH,
    ),
    "accounts.AuditEntry": Empty(
        _("Nothing was written yet."), _("Every change by people and by the system is kept here.")
    ),
    "accounts.Approval": Empty(
        _("Nobody waits for a second person."), _("What two people must agree to is asked here.")
    ),
    "trading.QuarantinedReport": Empty(
        _("Every report was understood."), _("What OKX sends and we cannot read is set aside here.")
    ),
    "trading.Repair": Empty(
        _("Nothing to repair."),
        _("Where OKX, our books and the target differ, it is proposed here."),
        "beside",
        _("Beside their leader"),
    ),
    "trading.ReconcileRun": Empty(
        _("Not compared yet."),
        _("Every account is read each half minute once its key is verified."),
        "customers_exchangeaccount_changelist",
        _("Exchange accounts"),
    ),
    "trading.LedgerAudit": Empty(
        _("Not audited yet."), _("Our books are compared with OKX's every day.")
    ),
    "notifications.Destination": Empty(
        _("Nobody is told yet."), _("Add an address or a robot that hears of alerts.")
    ),
    "notifications.Notification": Empty(
        _("Nothing was sent yet."),
        _("Messages to the destinations are listed here."),
        "notifications_destination_changelist",
        _("Destinations"),
    ),
    "trading.Heartbeat": Empty(
        _("No process has told that it lives."),
        _("Ask whoever runs the installation to start them."),
    ),
    "trading.StreamLease": Empty(
        _("No private sockets yet."),
        _("Each verified account gets one."),
        "customers_exchangeaccount_changelist",
        _("Exchange accounts"),
    ),
    "trading.Maintenance": Empty(
        _("OKX has announced no maintenance."),
        _("When it does, openings stop in time and everybody is told."),
    ),
    "trading.MarketWatch": Empty(
        _("No market is watched yet."), _("Each market of an account is.")
    ),
    "trading.ClockReading": Empty(
        _("No clock was compared yet."),
        _("Every process compares its clock with OKX's each minute."),
    ),
    "accounts.ApiToken": Empty(_("No API tokens yet."), _("Add one for a program of yours.")),
}
