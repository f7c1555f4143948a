"""Error codes of algo orders and of what orders carry: HTTP status and message."""

from __future__ import annotations

from typing import Final

TABLE: Final[dict[str, tuple[int, str]]] = {
    "51046": (200, "The take profit trigger price must be higher than the order price"),
    "51047": (200, "The stop loss trigger price must be lower than the order price"),
    "51048": (200, "The take profit trigger price must be lower than the order price"),
    "51049": (200, "The stop loss trigger price must be higher than the order price"),
    "51050": (200, "The take profit trigger price must be higher than the best ask price"),
    "51051": (200, "The stop loss trigger price must be lower than the best ask price"),
    "51052": (200, "The take profit trigger price must be lower than the best bid price"),
    "51053": (200, "The stop loss trigger price must be higher than the best bid price"),
    "51058": (200, "No available position for this algo order"),
    "51065": (200, "algoClOrdId already exists."),
    "51068": (200, "{0} already exists within algoClOrdId and attachAlgoClOrdId."),
    "51071": (200, "You've reached the maximum limit for tag level cancel all after timers."),
    "51076": (
        200,
        "TP/SL orders in Split TPs only support one-way TP/SL. You can't use"
        " slTriggerPx&slOrdPx and tpTriggerPx&tpOrdPx at the same time.",
    ),
    "51077": (
        200,
        "Setting multiple TP and cost-price SL orders isn't supported for spot and margin trading.",
    ),
    "51079": (
        200,
        "The number of TP orders with Split TPs attached in a same order cannot exceed {0}",
    ),
    "51080": (
        200,
        "Take-profit trigger price types (tpTriggerPxType) must be the same in an order"
        " with Split TPs attached",
    ),
    "51081": (
        200,
        "Take-profit trigger prices (tpTriggerPx) cannot be the same in an order with Split"
        " TPs attached",
    ),
    "51082": (
        200,
        "TP trigger prices (tpOrdPx) in one order with multiple TPs must be market prices.",
    ),
    "51083": (
        200,
        "The total size of TP orders with Split TPs attached in a same order should equal"
        " the size of this order",
    ),
    "51084": (
        200,
        "The number of SL orders with Split TPs attached in a same order cannot exceed {0}",
    ),
    "51085": (
        200,
        "The number of TP orders cannot be less than 2 when cost-price SL is enabled"
        " (amendPxOnTriggerType set as 1) for Split TPs",
    ),
    "51088": (200, "You can only place 1 TP/SL order to close an entire position"),
    "51089": (200, "The size of the TP order among split TPs attached cannot be empty"),
    "51090": (200, "You can't modify the amount of an SL order placed with a TP limit order."),
    "51091": (200, "All TP orders in one order must be of the same type."),
    "51092": (200, "TP order prices (tpOrdPx) in one order must be different."),
    "51093": (200, "TP limit order prices (tpOrdPx) in one order can't be -1 (market price)."),
    "51094": (200, "You can't place TP limit orders in spot, margin, or options trading."),
    "51095": (
        200,
        "To place TP limit orders at this endpoint, you must place an SL order at the same time.",
    ),
    "51096": (200, "cxlOnClosePos needs to be true to place a TP limit order"),
    "51098": (200, "You can't add a new TP order to an SL order placed with a TP limit order."),
    "51178": (
        200,
        "tpTriggerPx&tpOrdPx or slTriggerPx&slOrdPx can't be empty when using attachAlgoClOrdId.",
    ),
    "51258": (
        200,
        "Trailing stop order placement failed. The trigger price of a sell order must be"
        " higher than the last transaction price.",
    ),
    "51259": (
        200,
        "Trailing stop order placement failed. The trigger price of a buy order must be"
        " lower than the last transaction price.",
    ),
    "51260": (200, "Maximum of {0} pending trailing stop orders can be held at the same time."),
    "51261": (200, "Each user can hold up to {0} pending stop orders at the same time."),
    "51277": (200, "TP trigger price cannot be higher than the last price."),
    "51278": (200, "SL trigger price cannot be lower than the last price."),
    "51279": (200, "TP trigger price cannot be lower than the last price."),
    "51280": (200, "SL trigger price cannot be higher than the last price."),
    "51300": (200, "TP trigger price cannot be higher than the mark price"),
    "51302": (200, "SL trigger price cannot be lower than the mark price"),
    "51303": (200, "TP trigger price cannot be lower than the mark price"),
    "51304": (200, "SL trigger price cannot be higher than the mark price"),
    "51305": (200, "TP trigger price cannot be higher than the index price"),
    "51306": (200, "SL trigger price cannot be lower than the index price"),
    "51307": (200, "TP trigger price cannot be lower than the index price"),
    "51308": (200, "SL trigger price cannot be higher than the index price"),
    "51311": (
        200,
        "Failed to place trailing stop order. Callback rate should be within {0}<x<={1}",
    ),
    "51327": (200, "closeFraction is only available for Expiry Futures and Perpetual Futures"),
    "51328": (200, "closeFraction is only available for reduceOnly orders"),
    "51330": (200, "closeFraction is only available for stop market orders"),
    "51331": (200, "closeFraction is only available for close position orders"),
    "51333": (
        200,
        "Close position order in hedge-mode or reduce-only order in one-way mode cannot"
        " attach TPSL",
    ),
    "51415": (
        200,
        "Unable to place order. Spot trading only supports using the last price as trigger"
        ' price. Please select "Last" and try again.',
    ),
    "51416": (200, "Order has been triggered and can't be canceled"),
    "51523": (
        200,
        "Unable to modify the order price of a stop order that closes an entire position."
        " Please modify the trigger price instead.",
    ),
    "51524": (
        200,
        "Unable to modify the order quantity of a stop order that closes an entire"
        " position. Please modify the trigger price instead.",
    ),
    "51526": (
        200,
        "Order modification unsuccessful. Take profit/Stop loss conditions cannot be added"
        " to or removed from stop orders.",
    ),
    "51527": (200, "Order modification unsuccessful. The stop order does not exist."),
    "51531": (
        200,
        "Order modification unsuccessful. The stop order must have either take profit or"
        " stop loss attached.",
    ),
    "51538": (
        200,
        "You need to use attachAlgoOrds if you used attachAlgoOrds when placing an order."
        " attachAlgoOrds is not supported if you did not use attachAlgoOrds when placing"
        " this order.",
    ),
    "51539": (
        200,
        "attachAlgoId or attachAlgoClOrdId cannot be identical when modifying any TP/SL"
        " within your split TPs order",
    ),
    "59668": (
        200,
        "Cancel isolated margin TP/SL, trailing, trigger, and chase orders or stop bots before"
        " adjusting your leverage.",
    ),
    "59669": (
        200,
        "Cancel cross-margin TP/SL, trailing, trigger, and chase orders or stop bots before"
        " adjusting your leverage.",
    ),
}
