"""Codes of states this exchange does not get into by itself: only a fault answers them."""

from __future__ import annotations

from typing import Final

TABLE: Final[dict[str, tuple[int, str]]] = {
    "50001": (503, "Service temporarily unavailable. Please try again later."),
    "50005": (410, "API endpoint is inactive or unavailable."),
    "50007": (200, "User blocked."),
    "50008": (200, "User doesn't exist."),
    "50009": (200, "Account is frozen due to stop-out."),
    "50012": (200, "Account status invalid. Check account status"),
    "50013": (429, "Systems are busy. Please try again later."),
    "50017": (
        200,
        "Position frozen and related operations restricted due to auto-deleveraging "
        "(ADL). Please try again later.",
    ),
    "50018": (200, "Currency {0} is frozen due to ADL. Operation restricted."),
    "50019": (
        200,
        "Account frozen and related operations restricted due to auto-deleveraging (ADL). "
        "Please try again later.",
    ),
    "50020": (
        200,
        "Position frozen and related operations restricted due to forced liquidation. "
        "Please try again later.",
    ),
    "50021": (200, "Currency {0} is frozen due to liquidation. Operation restricted."),
    "50022": (
        200,
        "Account frozen and related operations restricted due to forced liquidation. "
        "Please try again later.",
    ),
    "50023": (
        200,
        "Funding fees frozen and related operations are restricted. Please try again later.",
    ),
    "50027": (
        200,
        "This account is restricted from trading. Please contact customer support for assistance.",
    ),
    "50028": (200, "Unable to place the order. Please contact the customer service for details."),
    "50029": (
        200,
        "Your account has triggered OKX risk control and is temporarily restricted from "
        "conducting transactions. Please check your email registered with OKX for contact "
        "from our customer support team.",
    ),
    "50030": (200, "You don't have permission to use this API endpoint"),
    "50032": (
        200,
        "Your account has been set to prohibit transactions in this currency. Please "
        "confirm and try again",
    ),
    "50033": (
        200,
        "Instrument blocked. Please verify trading this instrument is allowed under "
        "account settings and try again.",
    ),
    "50035": (403, "This endpoint requires that APIKey must be bound to IP"),
    "50038": (200, "This feature is unavailable in demo trading"),
    "50040": (200, "Too frequent operations, please try again later"),
    "50051": (
        200,
        "Due to compliance restrictions in your country or region, you cannot use this feature.",
    ),
    "50052": (200, "Due to local laws and regulations, you cannot trade with your chosen crypto."),
    "50062": (200, "This feature is currently unavailable."),
    "50100": (400, "API frozen, please contact customer service."),
    "50114": (401, "Invalid authorization."),
    "50119": (200, "API key doesn't exist"),
    "50121": (200, "You can't access our services through the IP address ({0})"),
    "51005": (200, "Your order amount exceeds the max order amount."),
    "51009": (200, "Order blocked. Please contact customer support for assistance."),
    "51011": (200, "Order ID already exists."),
    "51021": (200, "The pair or contract is not yet listed"),
    "51027": (200, "Contract expired."),
    "51028": (200, "Contract under delivery."),
    "51029": (200, "Contract is being settled."),
    "51030": (200, "Funding fee is being settled."),
    "51031": (200, "This order price is not within the closing price range."),
    "51054": (500, "Request timed out. Please try again."),
    "51103": (
        200,
        "Order failed, the number of pending orders across all instIds under the {0} "
        "current instFamily can't be more than {1} (orders)",
    ),
    "51104": (
        200,
        "Order failed, the aggregated contract quantity for all pending orders across all "
        "instIds under the {0} current instFamily can't be more than {1} (contracts)",
    ),
    "51105": (
        200,
        "Order failed, the maximal sum of position quantity and pending orders quantity "
        "with the same direction for current instId can't be more than {0} (contracts)",
    ),
    "51106": (
        200,
        "Order failed, the maximal sum of position quantity and pending orders quantity "
        "with the same direction across all instIds under the {0} current instFamily "
        "can't be more than {1} (contracts)",
    ),
    "51107": (
        200,
        "Order failed, the maximal sum of position quantity and pending orders quantity "
        "in both directions across all instIds under the {0} current instFamily can't be "
        "more than {1} (contracts)",
    ),
    "51108": (200, "Positions exceed the limit for closing out with the market price."),
    "51109": (200, "No available offers."),
    "51113": (429, "Market-price liquidation requests too frequent."),
    "51117": (200, "Pending close-orders count exceeds limit."),
    "51127": (200, "Available balance is 0."),
    "51131": (200, "Insufficient balance."),
    "51137": (200, "The highest price limit for buy orders is {0}."),
    "51138": (200, "The lowest price limit for sell orders is {0}."),
    "51140": (200, "Purchase failed due to insufficient sell orders, please try later."),
    "51148": (
        200,
        "Failed to place order. The new order may execute an opposite trading direction "
        "of your existing reduce-only positions. Cancel or edit pending orders to "
        "continue order",
    ),
    "51149": (
        500,
        "Order timed out. Please try again. (does not mean that the request was "
        "successful or failed, please check the request result)",
    ),
    "51155": (
        200,
        "Trading of this pair or contract is restricted due to local compliance requirements.",
    ),
    "51185": (200, "The maximum value allowed per order is {0} USD"),
    "51186": (
        200,
        "Order failed. The leverage for {0} in your current margin mode is {1}x, which "
        "exceeds the platform limit of {2}x.",
    ),
    "51187": (
        200,
        "Order failed. For {0} {1} in your current margin mode, the sum of your current "
        "order amount, position sizes, and open orders is {2} contracts, which exceeds "
        "the platform limit of {3} contracts. Reduce your order amount, cancel orders, or "
        "close positions.",
    ),
    "51205": (200, "Reduce Only is not available."),
    "51206": (
        200,
        "Please cancel the Reduce Only order before placing the current {0} order to "
        "avoid opening a reverse position.",
    ),
    "51207": (
        200,
        "Trading amount exceeds the limit, and can't be all closed at the market price. "
        "You can try closing the position manually in batches.",
    ),
    "51403": (200, "Cancellation failed as the order type doesn't support cancellation."),
    "51404": (200, "Order cancellation unavailable during the second phase of call auction."),
    "51405": (200, "Cancellation failed as you don't have any pending orders."),
    "51410": (
        200,
        "Cancellation failed as the order is already in canceling status or pending settlement.",
    ),
    "51412": (200, "Cancellation timed out, please try again later."),
    "51506": (200, "Order modification unavailable for the order type."),
    "51508": (200, "Orders are not allowed to be modified during the call auction."),
    "51513": (
        200,
        "Number of modification requests that are currently in progress for an order "
        "cannot exceed 3 times.",
    ),
    "51514": (200, "Order modification failed. The price length must be 32 characters or shorter."),
    "58101": (200, "Transfer suspended"),
    "58103": (
        200,
        "This account transfer function is temporarily unavailable. Please contact "
        "customer service for details.",
    ),
    "58112": (200, "Transfer failed. Contact customer support for assistance"),
    "58116": (200, "Transfer exceeds the available amount."),
    "58120": (200, "Transfers are currently unavailable. Try again later"),
}
