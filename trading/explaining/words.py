"""The text of every reason: the most exact first, and last one that needs no figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from trading.enums import Reason

R = Reason
Texts = tuple[Any, ...]

BARRED: Final[Mapping[str, Texts]] = {
    R.SYMBOL_NOT_ALLOWED: (
        _("This strategy does not trade %(inst_id)s. Nothing was ordered."),
        _("This strategy does not trade the instrument. Nothing was ordered."),
    ),
    R.CUSTOMER_DISABLED: (_("Copying is switched off for you. Nothing new is opened."),),
    R.ACCOUNT_DISABLED: (_("Your exchange account is paused. No order is sent for it."),),
    R.KEY_NOT_VERIFIED: (
        _("Your API key has not been verified yet. No order is sent until it is."),
    ),
    R.LINK_PAUSED: (_("Your subscription is paused. This signal was not copied."),),
    R.STRATEGY_PAUSED: (_("The strategy is paused. Nothing new is opened."),),
    R.CLOSE_ONLY: (_("This subscription only follows closes."),),
    R.TRADING_HALTED: (_("Trading is halted. No order is sent, not even a close."),),
    R.REDUCE_ONLY: (_("Nothing new is opened. Closes and reductions go on."),),
    R.FLATTENING: (
        _("Every position is being closed at the market. Nothing else is sent meanwhile."),
    ),
    R.FLATTEN_OVER: (_("Closing everything had ended before this order was sent."),),
    R.NOT_IN_CYCLE: (
        _("The leader changed a position that you did not copy. There was nothing to follow."),
    ),
    R.POS_MODE_CONFLICT: (
        _("You hold %(inst_id)s in the other direction, and this account can hold only one."),
        _("You hold the other direction, and this account can hold only one."),
    ),
    R.MGN_MODE_CONFLICT: (
        _("You hold %(inst_id)s in the other margin mode. A second position is not opened."),
        _("You hold this in the other margin mode. A second position is not opened."),
    ),
    R.SHORT_NOT_POSSIBLE: (
        _("%(inst_id)s is a spot pair. What is not owned cannot be sold."),
        _("This is a spot pair. What is not owned cannot be sold."),
    ),
    R.DUPLICATE_SUSPECTED: (
        _("The same order was made a moment ago by another signal. This one was held back."),
    ),
    R.ACCOUNT_BREAKER: (
        _(
            "OKX refused several orders of your account in a row, or does not tell what became of "
            "them. Nothing new is opened until your account answers again."
        ),
    ),
    R.LOSS_LIMIT: (
        _("A loss limit of yours is reached. Nothing new is opened; closes are still followed."),
    ),
    R.MARGIN_LOW: (
        _("The margin of your account is low. Nothing new is opened until there is more of it."),
    ),
    R.MARKET_BREAKER: (
        _("OKX does not answer reliably at the moment. Nothing new is opened until it does."),
    ),
    R.EXCHANGE_MAINTENANCE: (
        _("OKX is in maintenance. Nothing new is opened; closes are tried as soon as they can be."),
    ),
    R.LINK_CONFLICT: (
        _("Another strategy already holds %(inst_id)s in this account. Only one may."),
        _("Another strategy already holds this instrument in this account. Only one may."),
    ),
}

UNKNOWN: Final[Mapping[str, Texts]] = {
    R.EQUITY_UNKNOWN: (
        _(
            "Your size depends on your equity, and OKX has not told us your equity in the last "
            "minute."
        ),
    ),
    R.LEADER_EQUITY_UNKNOWN: (
        _("Your size depends on the leader's equity and leverage, and they were not told."),
    ),
    R.STOP_LOSS_MISSING: (
        _("Your size depends on where the stop loss is, and the signal had none."),
    ),
    R.PRICE_UNKNOWN: (
        _(
            "The last price was %(mark_age)s s old. Nothing is opened on a price older than "
            "%(limit)s s."
        ),
        _("There was no fresh price. Nothing is opened without one."),
    ),
    R.ENTRY_UNKNOWN: (
        _("At which price the leader opened is not known, so the prices could not be compared."),
    ),
    R.PRICE_WORSE: (
        _("The leader opened at a better price than there is now. This position was not copied."),
    ),
    R.INSTRUMENT_UNKNOWN: (
        _("%(inst_id)s is not listed in the market of your account."),
        _("The instrument is not listed in the market of your account."),
    ),
    R.INSTRUMENT_SUSPENDED: (
        _("OKX has suspended trading in %(inst_id)s. Nothing new is opened."),
        _("OKX has suspended trading in this instrument. Nothing new is opened."),
    ),
}

SIZES: Final[Mapping[str, Texts]] = {
    R.BELOW_MIN: (
        _("Your share was %(share)s. OKX takes at least %(min)s."),
        _("Your share was below the smallest order that OKX takes."),
    ),
    R.CLOSED_BELOW_MIN: (
        _(
            "What would have stayed open was below %(min)s, the smallest order OKX takes. "
            "The whole position is closed."
        ),
        _(
            "What would have stayed open was below the smallest order OKX takes. "
            "The whole position is closed."
        ),
    ),
    R.ABOVE_MAX: (
        _("Your share was %(lots)s. OKX takes at most %(max)s in one order."),
        _("Your share was above the largest order that OKX takes."),
    ),
    R.ALREADY_AT_TARGET: (
        _("You already hold your share of the leader's position. There was nothing to order."),
    ),
    R.ALREADY_FLAT: (_("You hold nothing of this position. There was nothing to close."),),
}

LIMITS: Final[Mapping[str, Texts]] = {
    R.ORDER_NOTIONAL_ABOVE_LIMIT: (
        _("This order was worth %(value)s. Your limit per order is %(limit_money)s."),
        _("This order was above your limit per order."),
    ),
    R.POSITION_NOTIONAL_ABOVE_LIMIT: (
        _(
            "This order was worth %(value)s. With it your position would have been above your "
            "limit per position, %(limit_money)s."
        ),
        _("With this order your position would have been above your limit per position."),
    ),
    R.ORDER_QUANTITY_ABOVE_LIMIT: (
        _("Your share was %(lots)s. Your limit per order is %(limit)s."),
        _("Your share was above your limit of contracts per order."),
    ),
    R.DAILY_LIMIT: (
        _(
            "This order would have taken today's total to %(total)s. "
            "Your daily limit is %(limit_money)s."
        ),
        _("Today's total is %(used)s. Your daily limit of %(limit_money)s is used up."),
        _("Your daily limit is used up. Closes and reductions go on."),
    ),
    R.ALLOCATION_FULL: (
        _(
            "The capital allocated to this strategy is %(limit_money)s, and %(used)s of it is "
            "margin of open positions."
        ),
        _("The capital allocated to this strategy is used up."),
    ),
    R.EXPOSURE_ABOVE_LIMIT: (
        _(
            "All your positions together may be worth %(limit_money)s. They are worth "
            "%(used)s already."
        ),
        _("All your positions together are worth as much as they may be."),
    ),
    R.OPEN_POSITIONS_ABOVE_LIMIT: (
        _("With this order you would have %(positions)s open positions. Your limit is %(limit)s."),
        _("You already have as many open positions as you may."),
    ),
    R.LEVERAGE_ABOVE_LIMIT: (
        _("This order needed %(leverage)s× leverage. Your limit is %(limit)s×."),
        _("This order needed more leverage than you may have."),
    ),
    R.DESK_NOTIONAL_ABOVE_LIMIT: (
        _("Your desk's limit for this instrument is used up. Closes and reductions go on."),
    ),
    R.PRICE_OUTSIDE_COLLAR: (
        _("The price was too far from the market. Nothing is ordered that far away."),
    ),
    R.SLIPPAGE: (
        _(
            "The price was %(worse)s %% worse than the leader's. Openings are copied up to "
            "%(worse_limit)s %%."
        ),
        _("The price had moved too far from the leader's. Nothing was opened."),
    ),
    R.LIMIT_MAX_ORDERS: (
        _("%(waiting)s orders of this source wait already. No more than %(limit)s may."),
        _("As many orders of this source wait already as may."),
    ),
    R.SPREAD_ABOVE_LIMIT: (_("Buying and selling prices were too far apart to order at market."),),
    R.SIZE_OUT_OF_PROPORTION: (
        _("The size did not fit the leader's position. Nothing was ordered."),
    ),
    R.LEGS_ABOVE_LIMIT: (_("One signal asked for too many orders. This one was not made."),),
    R.LEVERAGE_LOCKED: (
        _(
            "OKX would not lower your leverage for %(inst_id)s, which is above what this order "
            "may have. Nothing was ordered."
        ),
        _(
            "OKX would not lower your leverage, which is above what this order may have. "
            "Nothing was ordered."
        ),
    ),
    R.CAPPED: (_("Copied with a smaller size, because of a limit."),),
}

TIMES: Final[Mapping[str, Texts]] = {
    R.EXPIRED: (
        _("The signal was %(age)s s old. Opens older than %(limit)s s are not copied."),
        _("The signal was too old by the time it could be copied. Opens that late are dropped."),
    ),
    R.CLOCK_OFF: (
        _("Our clock and OKX's were too far apart to trade safely. The signal became too old."),
    ),
    R.SUPERSEDED: (_("A newer signal replaced this order before it was sent."),),
    R.FLIP_OPEN_DROPPED: (
        _("The reversal was not opened: the old position was not closed in time."),
    ),
    R.FLIP_CLOSE_ONLY: (
        _("The leader reversed. Your position was closed; the other way is not opened, as chosen."),
    ),
    R.LIMIT_TTL: (_("It waited for as long as the strategy lets it, and was canceled."),),
    R.LEADER_CLOSED: (_("The leader closed, so your waiting order was canceled."),),
    R.LEADER_REDUCED: (_("The leader reduced, so this waiting order was canceled."),),
    R.LATE_FILL_CLOSED: (
        _("A waiting order filled after the leader had closed. This closes what it bought."),
    ),
    R.LEADER_LOST: (_("We lost the connection to the leader. Nothing new waits meanwhile."),),
    R.SOURCE_DISABLED: (_("The leader's source is switched off. Nothing new is opened."),),
    R.NOTHING_PENDING: (_("The leader canceled, and you had no waiting order to cancel."),),
}

EXCHANGE: Final[Mapping[str, Texts]] = {
    R.INSUFFICIENT_MARGIN: (
        _("OKX refused: not enough margin (%(code)s)."),
        _("OKX refused: not enough margin."),
    ),
    R.KEY_INVALID: (
        _(
            "OKX does not accept your API key (%(code)s). Nothing is copied until your desk "
            "renews it."
        ),
        _("OKX does not accept your API key. Nothing is copied until your desk renews it."),
    ),
    R.IP_NOT_ALLOWED: (
        _(
            "Your API key does not allow our address (%(code)s). Nothing is copied until it is "
            "allowed on OKX."
        ),
        _("Your API key does not allow our address. Nothing is copied until it is allowed on OKX."),
    ),
    R.RATE_LIMITED: (
        _("OKX refused: too many requests (%(code)s)."),
        _("OKX refused: too many requests at that moment."),
    ),
    R.SENDS_ABOVE_LIMIT: (_("Too many orders at once. This one waits for its turn."),),
    R.UNKNOWN_RESULT: (
        _("We sent this order and have not heard whether OKX accepted it. It is being checked."),
    ),
    R.EXCHANGE_REJECTED: (
        _("OKX refused the order (%(code)s)."),
        _("OKX refused the order."),
    ),
    R.EXCHANGE_CANCELED: (
        _("OKX canceled the order (%(code)s) before it filled."),
        _("OKX canceled the order before it filled."),
    ),
    R.CANCELED_BY_SIGNAL: (_("The leader canceled, so your waiting order is canceled too."),),
    R.CANCELED_BY_STAFF: (_("Your desk canceled the order."),),
    R.UNDERFILLED: (
        _("Only %(part)s of %(quantity)s filled. OKX canceled the rest."),
        _("Only a part filled. OKX canceled the rest."),
    ),
    R.UNDERFILLED_SLIPPAGE: (
        _("%(part)s of %(quantity)s filled. The rest would have cost more than you allow."),
        _("The rest would have cost more than you allow, and was not bought."),
    ),
    R.POISON: (
        _("We could not decide about this signal. Nothing was ordered, and your desk was told."),
    ),
}

REASONS: Final[Mapping[str, Texts]] = {
    **BARRED, **UNKNOWN, **SIZES, **LIMITS, **TIMES, **EXCHANGE
}  # fmt: skip

# What a limit left of an order that was copied, by the limit that bound it.
CAPPED_BY: Final[Mapping[str, Texts]] = {
    R.ORDER_NOTIONAL_ABOVE_LIMIT: (
        _("Copied with %(part)s of %(lots)s: your limit per order is %(limit_money)s."),
    ),
    R.POSITION_NOTIONAL_ABOVE_LIMIT: (
        _("Copied with %(part)s of %(lots)s: your limit per position is %(limit_money)s."),
    ),
    R.ORDER_QUANTITY_ABOVE_LIMIT: (
        _("Copied with %(part)s of %(lots)s: your limit per order is %(limit)s."),
    ),
    R.DAILY_LIMIT: (
        _(
            "Copied with %(part)s of %(lots)s: %(used)s of your daily limit of "
            "%(limit_money)s were used."
        ),
    ),
    R.ALLOCATION_FULL: (
        _(
            "Copied with %(part)s of %(lots)s: %(used)s of your allocated %(limit_money)s "
            "were used."
        ),
    ),
    R.EXPOSURE_ABOVE_LIMIT: (
        _(
            "Copied with %(part)s of %(lots)s: all your positions together may be worth "
            "%(limit_money)s."
        ),
    ),
    R.ABOVE_MAX: (_("Copied with %(part)s of %(lots)s: OKX takes at most %(max)s in one order."),),
}
