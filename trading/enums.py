"""The words of the engine room: states, sides and reasons, as they are stored."""

from __future__ import annotations

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Side(TextChoices):
    BUY = "buy", _("Buy")
    SELL = "sell", _("Sell")


class PositionSide(TextChoices):
    NET = "net", _("Net")
    LONG = "long", _("Long")
    SHORT = "short", _("Short")


class OrderType(TextChoices):
    MARKET = "market", pgettext_lazy("order type", "Market")
    LIMIT = "limit", pgettext_lazy("order type", "Limit")
    POST_ONLY = "post_only", _("Post-only")
    IOC = "ioc", _("Immediate or cancel")
    FOK = "fok", _("Fill or kill")


# They wait at the exchange for their price.
RESTING_TYPES = (OrderType.LIMIT, OrderType.POST_ONLY)


class Leg(TextChoices):
    """What an order does for its signal; a flip has a close and an open."""

    OPEN = "open", pgettext_lazy("trade", "Open")
    ADD = "add", pgettext_lazy("trade", "Add")
    REDUCE = "reduce", pgettext_lazy("trade", "Reduce")
    CLOSE = "close", pgettext_lazy("trade", "Close")


class OrderState(TextChoices):
    """States of an order; the table of transitions is in `trading.orders`."""

    NEW = "new", _("New")
    READY = "ready", _("Ready")
    SENDING = "sending", _("Sending")
    UNKNOWN = "unknown", _("Unknown")
    LIVE = "live", pgettext_lazy("order", "Live")
    PARTIALLY_FILLED = "partially_filled", _("Partly filled")
    FILLED = "filled", _("Filled")
    CANCELED = "canceled", _("Canceled")
    REJECTED = "rejected", _("Rejected by the exchange")
    EXPIRED = "expired", _("Expired before it was placed")
    DENIED = "denied", _("Denied by us")
    MANUAL = "manual", _("Needs a person")


class ExternalState(TextChoices):
    """States of an order that is not ours, in the exchange's own words."""

    LIVE = "live", pgettext_lazy("order", "Live")
    PARTIALLY_FILLED = "partially_filled", _("Partly filled")
    FILLED = "filled", _("Filled")
    CANCELED = "canceled", _("Canceled")
    MMP_CANCELED = "mmp_canceled", _("Canceled by market maker protection")


FINAL_STATES = frozenset(
    {
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
        OrderState.DENIED,
    }
)


class AttemptOutcome(TextChoices):
    PENDING = "pending", _("No answer yet")
    ACK = "ack", _("Accepted")
    REJECTED = "rejected", _("Rejected")
    NOT_PLACED = "not_placed", _("Not placed")
    AUTH = "auth", _("Key refused")
    DUPLICATE = "duplicate", _("Id already pending")
    UNKNOWN = "unknown", _("Unknown")


class EventSource(TextChoices):
    ENGINE = "engine", _("Engine")
    REST = "rest", _("REST")
    STREAM = "stream", _("WebSocket")
    STAFF = "staff", _("Staff")


class OrderCause(TextChoices):
    """What an order comes from: a decision of ours, a protection that was triggered, a repair,
    or a hand: our staff's here, or the customer's own at the exchange.
    """

    SIGNAL = "signal", _("Signal")
    TAKE_PROFIT = "take_profit", _("Take profit")
    STOP_LOSS = "stop_loss", _("Stop loss")
    REPAIR = "repair", _("Repair")
    STAFF = "staff", _("Closed by staff")
    EXTERNAL = "external", _("By hand at the exchange")


class ActionKind(TextChoices):
    """What is asked of something that rests at the exchange."""

    CANCEL = "cancel", _("Cancel the order")
    AMEND = "amend", _("Change the order")
    PROTECT = "protect", _("Place a protection")
    MOVE = "move", _("Move a protection")
    UNPROTECT = "unprotect", _("Cancel a protection")


class ActionState(TextChoices):
    """How far an action is; the table of its steps is in `trading.actions`."""

    WAITING = "waiting", pgettext_lazy("action", "Waiting")
    SENDING = "sending", _("Sending")
    UNKNOWN = "unknown", _("To be looked up")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Not done")


class ProtectionState(TextChoices):
    WAITING = "waiting", pgettext_lazy("protection", "Waiting")
    LIVE = "live", pgettext_lazy("protection", "Live")
    TRIGGERED = "triggered", _("Triggered")
    CANCELED = "canceled", _("Canceled")
    FAILED = "failed", _("Failed")


class SettlementKind(TextChoices):
    """What a person wants for an order of unknown outcome."""

    ADOPT = "adopt", _("Adopt the exchange's order")
    CLOSE = "close", _("Close what it may have opened")


class SettlementState(TextChoices):
    WAITING = "waiting", pgettext_lazy("action", "Waiting")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Not done")


class DriftClass(TextChoices):
    """What the exchange, our own orders and the target of following say together."""

    CLEAN = "clean", _("As it should be")
    IN_FLIGHT = "in_flight", _("Orders are on their way")
    EXPLAINED = "explained", _("Less, as it was decided")
    LEDGER_DRIFT = "ledger_drift", _("Our books are wrong")
    ORPHAN = "orphan", _("Left over")
    OVER = "over", _("Too much")
    UNDER = "under", _("Too little")
    MISSING = "missing", _("Missing")
    WRONG_SIDE = "wrong_side", _("On the wrong side")
    FOREIGN = "foreign", _("Not by us")


class RepairAction(TextChoices):
    """What puts a difference right."""

    NOTHING = "nothing", _("Take note")
    CLOSE = "close", _("Close it")
    REDUCE = "reduce", _("Reduce it to the target")
    INCREASE = "increase", _("Bring it up to the target")
    FOLLOW = "follow", _("Follow on from what is there")
    END = "end", _("End this following, and close what is ours")


class RepairState(TextChoices):
    """How far a repair is; the table of its steps is in `trading.repairs`."""

    PROPOSED = "proposed", _("Proposed")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")
    SENT = "sent", _("Sent")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("No longer needed")


class DecisionOutcome(TextChoices):
    COPIED = "copied", _("Copied")
    SKIPPED = "skipped", _("Not copied")
    DENIED = "denied", _("Denied")


class Grain(IntegerChoices):
    """The longest span that a reading is the first of: a curve reads only as fine as it draws."""

    MINUTE = 0, _("Minute")
    QUARTER = 1, _("Quarter of an hour")
    HOUR = 2, _("Hour")
    DAY = 3, _("Day of the desk")


class TradingMode(TextChoices):
    """The switch; strictest wins, in the order written."""

    ACTIVE = "active", _("Active")
    REDUCE_ONLY = "reduce_only", _("Reduce only")
    HALTED = "halted", _("Halted")
    FLATTEN = "flatten", _("Flatten")


class FlattenStep(TextChoices):
    """How far flattening an account has come; every reading decides anew where it stands."""

    CANCELING = "canceling", _("Canceling orders")
    WAITING = "waiting", _("Waiting for orders on their way")
    READING = "reading", _("Reading positions")
    CLOSING = "closing", _("Closing positions")
    VERIFYING = "verifying", _("Reading once more")
    FLAT = "flat", _("Flat")
    MANUAL = "manual", _("Needs a person")


class Scope(TextChoices):
    SYSTEM = "system", _("Whole installation")
    TENANT = "tenant", _("Desk")
    STRATEGY = "strategy", _("Strategy")
    CUSTOMER = "customer", _("Customer")
    ACCOUNT = "account", _("Exchange account")
    INSTRUMENT = "instrument", _("Instrument")


class LimitKind(TextChoices):
    """What a limit bounds; values are USDT except where said."""

    ORDER_NOTIONAL = "order_notional", _("Notional per order")
    DAILY_NOTIONAL = "daily_notional", _("Notional per day")
    POSITION_NOTIONAL = "position_notional", _("Notional per position")
    OPEN_POSITIONS = "open_positions", _("Open positions (count)")
    LEVERAGE = "leverage", _("Leverage (times)")
    ORDER_QUANTITY = "order_quantity", _("Contracts per order")
    DESK_NOTIONAL = "desk_notional", _("Notional per instrument, whole desk")
    PRICE_COLLAR = "price_collar", _("Distance of a limit price from the mark (ratio)")
    STOP_COLLAR = "stop_collar", _("Distance of a stop price from the mark (ratio)")
    SPREAD = "spread", _("Spread for market orders (ratio)")
    LEADER_MULTIPLE = "leader_multiple", _("Order size beside the leader's position (times)")
    LEGS = "legs", _("Legs per signal (count)")
    ACCOUNT_SENDS = "account_sends", _("Orders per second and account (count)")
    SYSTEM_SENDS = "system_sends", _("Orders per second, whole installation (count)")


class LossScope(TextChoices):
    """Whom a loss limit binds: each account in it, or each following, by itself."""

    TENANT = "tenant", _("Every account of the desk")
    CUSTOMER = "customer", _("Every account of a customer")
    ACCOUNT = "account", _("Exchange account")
    STRATEGY = "strategy", _("Every following of a strategy")
    SUBSCRIPTION = "subscription", _("Subscription")


class LossPeriod(TextChoices):
    DAY = "day", _("Day")
    WEEK = "week", _("Week")
    MONTH = "month", _("Month")
    LIFETIME = "lifetime", _("Lifetime")


class PeriodClock(TextChoices):
    DESK = "desk", _("The desk's day")
    UTC = "utc", _("UTC")


class LossMeasure(TextChoices):
    """What counts as lost."""

    REALIZED = "realized", _("Realized loss")
    UNREALIZED = "unrealized", _("Unrealized loss")
    EQUITY = "equity", _("Loss of equity")
    DRAWDOWN = "drawdown", _("Drawdown from the peak")


class LossAction(TextChoices):
    """What becomes of the followings when a loss limit is reached."""

    HOLD = "hold", _("Open nothing until the period ends")
    CLOSE_ONLY = "close_only", _("Close only, until somebody resumes")
    STOP = "stop", _("Stop following")


class MarginLevel(TextChoices):
    SAFE = "safe", pgettext_lazy("margin", "Safe")
    WARN = "warn", pgettext_lazy("margin", "Low")
    CRITICAL = "critical", pgettext_lazy("margin", "Critical")
    BLOCK = "block", pgettext_lazy("margin", "No openings")


class BreakerState(TextChoices):
    CLOSED = "closed", pgettext_lazy("breaker", "Closed")
    OPEN = "open", pgettext_lazy("breaker", "Open")
    HALF_OPEN = "half_open", pgettext_lazy("breaker", "Trying")


class BreakerCause(TextChoices):
    """Why openings are stopped without anybody's doing."""

    REJECTS = "rejects", _("Orders refused in a row")
    UNRESOLVED = "unresolved", _("Several orders with an unknown outcome")
    UNKNOWN_SENDS = "unknown_sends", _("Too many sends without an answer")
    DOUBLES = "doubles", _("Orders found twice on several accounts")
    MAINTENANCE = "maintenance", _("The exchange is in maintenance")
    LOSS_LIMIT = "loss_limit", _("A loss limit is reached")
    MARGIN_LOW = "margin_low", _("The margin is low")


class MaintenanceState(TextChoices):
    """As the exchange names them; `gone` when it no longer lists one that did not begin."""

    SCHEDULED = "scheduled", _("Announced")
    ONGOING = "ongoing", _("Going on")
    PRE_OPEN = "pre_open", _("Opening again")
    COMPLETED = "completed", _("Over")
    CANCELED = "canceled", pgettext_lazy("maintenance", "Canceled")
    GONE = "gone", _("No longer announced")


class Reason(TextChoices):
    """Why an order was not copied, was made smaller, or ended as it did."""

    NONE = "", _("—")
    # decisions
    SYMBOL_NOT_ALLOWED = "SYMBOL_NOT_ALLOWED", _("Instrument not in the strategy's list")
    CUSTOMER_DISABLED = "CUSTOMER_DISABLED", _("Customer is not active")
    ACCOUNT_DISABLED = "ACCOUNT_DISABLED", _("Account is paused")
    KEY_NOT_VERIFIED = "KEY_NOT_VERIFIED", _("API key is not verified")
    LINK_PAUSED = "LINK_PAUSED", _("Subscription is paused")
    STRATEGY_PAUSED = "STRATEGY_PAUSED", _("Strategy is paused")
    CLOSE_ONLY = "CLOSE_ONLY", _("Only closes are followed")
    TRADING_HALTED = "TRADING_HALTED", _("Trading is halted")
    REDUCE_ONLY = "REDUCE_ONLY", _("Only reductions are allowed")
    FLATTENING = "FLATTENING", _("Everything is being closed")
    FLATTEN_OVER = "FLATTEN_OVER", _("The flatten it belonged to is over")
    NOT_IN_CYCLE = "NOT_IN_CYCLE", _("This position was not copied")
    EQUITY_UNKNOWN = "EQUITY_UNKNOWN", _("Equity is not known")
    LEADER_EQUITY_UNKNOWN = "LEADER_EQUITY_UNKNOWN", _("Leader's equity or leverage is not known")
    STOP_LOSS_MISSING = "STOP_LOSS_MISSING", _("No stop loss to size by")
    ALLOCATION_FULL = "ALLOCATION_FULL", _("Allocated capital is used up")
    EXPOSURE_ABOVE_LIMIT = "EXPOSURE_ABOVE_LIMIT", _("All positions together above the limit")
    MGN_MODE_CONFLICT = "MGN_MODE_CONFLICT", _("Held in the other margin mode")
    PRICE_UNKNOWN = "PRICE_UNKNOWN", _("No fresh price")
    INSTRUMENT_UNKNOWN = "INSTRUMENT_UNKNOWN", _("Instrument not known in this market")
    INSTRUMENT_SUSPENDED = "INSTRUMENT_SUSPENDED", _("Instrument is not trading")
    BELOW_MIN = "BELOW_MIN", _("Below the exchange's minimum")
    CLOSED_BELOW_MIN = "CLOSED_BELOW_MIN", _("Closed: remainder below the minimum")
    ABOVE_MAX = "ABOVE_MAX", _("Above the exchange's maximum")
    ORDER_NOTIONAL_ABOVE_LIMIT = "ORDER_NOTIONAL_ABOVE_LIMIT", _("Above the limit per order")
    POSITION_NOTIONAL_ABOVE_LIMIT = (
        "POSITION_NOTIONAL_ABOVE_LIMIT",
        _("Above the limit per position"),
    )
    ORDER_QUANTITY_ABOVE_LIMIT = (
        "ORDER_QUANTITY_ABOVE_LIMIT",
        _("Above the limit of contracts per order"),
    )
    DAILY_LIMIT = "DAILY_LIMIT", _("Daily limit reached")
    OPEN_POSITIONS_ABOVE_LIMIT = "OPEN_POSITIONS_ABOVE_LIMIT", _("Too many open positions")
    LEVERAGE_ABOVE_LIMIT = "LEVERAGE_ABOVE_LIMIT", _("Leverage above the limit")
    DESK_NOTIONAL_ABOVE_LIMIT = (
        "DESK_NOTIONAL_ABOVE_LIMIT",
        _("Above the desk's limit per instrument"),
    )
    PRICE_OUTSIDE_COLLAR = "PRICE_OUTSIDE_COLLAR", _("Price too far from the market")
    SPREAD_ABOVE_LIMIT = "SPREAD_ABOVE_LIMIT", _("Spread too wide for a market order")
    SIZE_OUT_OF_PROPORTION = (
        "SIZE_OUT_OF_PROPORTION",
        _("Size out of proportion to the leader's"),
    )
    LEGS_ABOVE_LIMIT = "LEGS_ABOVE_LIMIT", _("Too many orders of one signal")
    DUPLICATE_SUSPECTED = "DUPLICATE_SUSPECTED", _("Same order as a moment ago")
    ACCOUNT_BREAKER = "ACCOUNT_BREAKER", _("Breaker of the account is open")
    LOSS_LIMIT = "LOSS_LIMIT", _("Loss limit reached")
    MARGIN_LOW = "MARGIN_LOW", _("Margin too low")
    MARKET_BREAKER = "MARKET_BREAKER", _("Breaker of the market is open")
    EXCHANGE_MAINTENANCE = "EXCHANGE_MAINTENANCE", _("The exchange is in maintenance")
    CLOCK_OFF = "CLOCK_OFF", _("Our clock and the exchange's are too far apart")
    LEVERAGE_LOCKED = "LEVERAGE_LOCKED", _("Leverage could not be changed")
    POS_MODE_CONFLICT = "POS_MODE_CONFLICT", _("Open in the other direction")
    SHORT_NOT_POSSIBLE = "SHORT_NOT_POSSIBLE", _("Spot cannot be sold short")
    LINK_CONFLICT = "LINK_CONFLICT", _("Another strategy holds this instrument")
    PRICE_WORSE = "PRICE_WORSE", _("Price worse than the leader's entry")
    ENTRY_UNKNOWN = "ENTRY_UNKNOWN", _("The leader's entry is not known")
    ALREADY_AT_TARGET = "ALREADY_AT_TARGET", _("Already at the target")
    ALREADY_FLAT = "ALREADY_FLAT", _("Nothing to close")
    EXPIRED = "EXPIRED", _("Signal too old")
    SUPERSEDED = "SUPERSEDED", _("Replaced by a newer signal")
    FLIP_OPEN_DROPPED = (
        "FLIP_OPEN_DROPPED",
        _("Reversal not opened: the close did not finish in time"),
    )
    FLIP_CLOSE_ONLY = "FLIP_CLOSE_ONLY", _("Of reversals only the close is followed")
    SLIPPAGE = "SLIPPAGE", _("Price moved too far from the leader's")
    LIMIT_MAX_ORDERS = "LIMIT_MAX_ORDERS", _("Too many waiting orders of this source")
    LEADER_LOST = "LEADER_LOST", _("Connection to the leader was lost")
    SOURCE_DISABLED = "SOURCE_DISABLED", _("Source is switched off")
    NOTHING_PENDING = "NOTHING_PENDING", _("No pending order to cancel")
    CAPPED = "CAPPED", _("Made smaller by a limit")
    # execution
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN", _("Not enough margin")
    KEY_INVALID = "KEY_INVALID", _("API key refused by the exchange")
    IP_NOT_ALLOWED = "IP_NOT_ALLOWED", _("Address not allowed by the key")
    RATE_LIMITED = "RATE_LIMITED", _("Rate limited")
    SENDS_ABOVE_LIMIT = "SENDS_ABOVE_LIMIT", _("Too many sends per second")
    UNKNOWN_RESULT = "UNKNOWN_RESULT", _("Outcome unknown")
    EXCHANGE_REJECTED = "EXCHANGE_REJECTED", _("Refused by the exchange")
    EXCHANGE_CANCELED = "EXCHANGE_CANCELED", _("Canceled by the exchange")
    CANCELED_BY_SIGNAL = "CANCELED_BY_SIGNAL", _("Canceled by a signal")
    CANCELED_BY_STAFF = "CANCELED_BY_STAFF", _("Canceled by staff")
    UNDERFILLED = "UNDERFILLED", _("Only partly filled")
    UNDERFILLED_SLIPPAGE = (
        "UNDERFILLED_SLIPPAGE",
        _("Not filled further: the market was worse than the bound"),
    )
    LIMIT_TTL = "LIMIT_TTL", _("Waited for as long as it may")
    LEADER_CLOSED = "LEADER_CLOSED", _("Canceled: the leader closed")
    LEADER_REDUCED = "LEADER_REDUCED", _("Canceled: the leader reduced")
    LATE_FILL_CLOSED = "LATE_FILL_CLOSED", _("Closes what filled after the leader had closed")
    POISON = "POISON", _("Set aside after repeated failures")


# Why a waiting order is to be canceled, as it is noted with the wish.
WISHES = frozenset(
    {
        Reason.CANCELED_BY_SIGNAL,
        Reason.LEADER_CLOSED,
        Reason.LEADER_REDUCED,
        Reason.LEADER_LOST,
        Reason.LIMIT_TTL,
        Reason.SOURCE_DISABLED,
        Reason.CUSTOMER_DISABLED,
        Reason.ACCOUNT_DISABLED,
        Reason.LINK_PAUSED,
        Reason.CLOSE_ONLY,
        Reason.STRATEGY_PAUSED,
        Reason.TRADING_HALTED,
        Reason.REDUCE_ONLY,
        Reason.FLATTENING,
    }
)
