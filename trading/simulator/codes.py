"""OKX error codes: HTTP status and message of every code this simulator answers."""

from __future__ import annotations

import re
from typing import Final

from trading.simulator import codes_algo, codes_states

_PLACE: Final = re.compile(r" ?\{\d\}")

_TABLE: Final[dict[str, tuple[int, str]]] = {
    "1": (200, "All operations failed"),
    "2": (200, "Bulk operation partially succeeded."),
    "404": (404, "Not Found"),
    "50000": (400, "Body for POST request cannot be empty."),
    "50002": (400, "JSON syntax error"),
    "50004": (
        400,
        "API endpoint request timeout. (does not mean that the request was successful or failed,"
        " please check the request result).",
    ),
    "50006": (400, 'Invalid Content-Type. Please use "application/JSON".'),
    "50011": (429, "Too Many Requests"),
    "50014": (400, "Parameter {0} can not be empty."),
    "50015": (400, "Either parameter {0} or {1} is required"),
    "50025": (200, "Parameter {0} count exceeds the limit {1}."),
    "50026": (500, "System error. Try again later"),
    "50036": (
        200,
        "The expTime can't be earlier than the current system time."
        " Please adjust the expTime and try again.",
    ),
    "50037": (200, "Order expired."),
    "50061": (200, "You've reached the maximum order rate limit for this account."),
    "50101": (401, "APIKey does not match current environment."),
    "50102": (401, "Timestamp request expired."),
    "50103": (401, 'Request header "OK-ACCESS-KEY" cannot be empty.'),
    "50104": (401, 'Request header "OK-ACCESS-PASSPHRASE" cannot be empty.'),
    "50105": (401, 'Request header "OK-ACCESS-PASSPHRASE" incorrect.'),
    "50106": (401, 'Request header "OK-ACCESS-SIGN" cannot be empty.'),
    "50107": (401, 'Request header "OK-ACCESS-TIMESTAMP" cannot be empty.'),
    "50110": (401, "Your IP {0} is not included in your API key's IP whitelist."),
    "50111": (401, "Invalid OK-ACCESS-KEY."),
    "50112": (401, "Invalid OK-ACCESS-TIMESTAMP."),
    "50113": (401, "Invalid signature."),
    "50115": (405, "Invalid request method."),
    "50120": (200, "This API key doesn't have permission to use this function"),
    "51000": (400, "Parameter {0} error"),
    "51001": (200, "Instrument ID, Instrument ID code or Spread ID doesn't exist."),
    "51003": (200, "Either client order ID or order ID is required."),
    "51004": (200, "Order failed. The position limit at the current leverage is exceeded."),
    "51006": (
        200,
        "Order price is not within the price limit (max buy price: {0} , min sell price: {1} )",
    ),
    "51008": (200, "Order failed. Insufficient {0} {1} in account"),
    "51010": (200, "Request unsupported under current account mode"),
    "51015": (200, "Instrument ID doesn't match instrument type."),
    "51016": (200, "Client order ID already exists."),
    "51020": (200, "Your order should meet or exceed the minimum order amount."),
    "51022": (200, "Contract suspended."),
    "51023": (200, "Position doesn't exist."),
    "51024": (200, "Trading account is blocked."),
    "51041": (200, "Portfolio margin account only supports the Buy/Sell mode."),
    "51101": (
        200,
        "Order failed, the sz of the current order can't be more than {0} (contracts).",
    ),
    "51102": (
        200,
        "Order failed, the number of pending orders for this instId can't be more than {0}"
        " (orders)",
    ),
    "51111": (200, "Maximum {0} orders can be placed in bulk."),
    "51112": (200, "Close order size exceeds available size for this position."),
    "51115": (429, "Cancel all pending close-orders before liquidation."),
    "51121": (200, "Order quantity must be a multiple of the lot size."),
    "51150": (200, "The precision of the number of trades or the price exceeds the limit."),
    "51169": (
        200,
        "Order failed because you don't have any positions in this direction for this contract to"
        " reduce or close.",
    ),
    "51170": (
        200,
        "Failed to place order. A reduce-only order can't be the same trading direction as your"
        " existing positions.",
    ),
    "51174": (200, "Order failed, number of pending orders for {0} exceed the limit of {1}."),
    "51201": (200, "The value of a market order can't exceed {0}."),
    "51202": (200, "Market order amount exceeds the maximum amount."),
    "51203": (200, "Order amount exceeds the limit {0}."),
    "51204": (200, "The price for the limit order cannot be empty."),
    "51400": (
        200,
        "Order cancellation failed as the order has been filled, canceled or does not exist.",
    ),
    "51407": (200, "Either order ID or client order ID is required."),
    "51500": (200, "You must enter a price, quantity, or TP/SL"),
    "51501": (400, "Maximum {0} orders can be modified."),
    "51502": (200, "Unable to edit order: insufficient balance or margin."),
    "51503": (200, "Your order has already been filled or canceled."),
    "51511": (
        200,
        "Modification failed as the order price did not meet the Post Only requirement.",
    ),
    "51512": (
        200,
        "Failed to amend orders in batches. You cannot have duplicate orders in the same"
        " amend-batch-orders request.",
    ),
    "51603": (200, "Order does not exist."),
    "58114": (400, "Transfer amount must be greater than 0"),
    "58127": (
        200,
        "Main account API key does not support current transfer 'type' parameter."
        " Please refer to the API documentation.",
    ),
    "58350": (200, "Insufficient balance."),
    "59000": (
        200,
        "Settings failed. Close any open positions or orders before modifying settings.",
    ),
    "59101": (
        200,
        "Leverage can't be modified. Please cancel all pending isolated margin orders before"
        " adjusting the leverage.",
    ),
    "59102": (200, "Leverage exceeds the maximum limit. Please lower the leverage."),
    "59105": (400, "Leverage can't be less than {0}. Please increase the leverage."),
    "59106": (
        200,
        "The max available margin corresponding to your order tier is {0}."
        " Please adjust your margin and place a new order.",
    ),
    "59107": (
        200,
        "Leverage can't be modified. Please cancel all pending cross-margin orders before"
        " adjusting the leverage.",
    ),
    "59108": (
        200,
        "Your account leverage is too low and has insufficient margins."
        " Please increase the leverage.",
    ),
    "59200": (200, "Insufficient account balance."),
    "59300": (200, "Margin call failed. Position does not exist."),
    "59301": (200, "Margin adjustment failed for exceeding the max limit."),
    "59302": (
        200,
        "Margin adjustment failed due to pending close order."
        " Please cancel any pending close orders.",
    ),
    "1009": (200, "Request message exceeds the maximum frame length"),
    "4001": (200, "Login Failed"),
    "4002": (200, "Invalid Request"),
    "4003": (200, "APIKey subscription amount exceeds the limit 100"),
    "4004": (200, "No data received in 30s"),
    "4005": (200, "Buffer is full, cannot write data"),
    "4006": (200, "Abnormal disconnection"),
    "4007": (200, "API key has been updated or deleted. Please reconnect."),
    "4008": (200, "The number of subscribed channels exceeds the maximum limit."),
    "4009": (200, "The number of subscription channels for this connection exceeds the limit"),
    "60004": (200, "Invalid timestamp"),
    "60005": (200, "Invalid apiKey"),
    "60006": (200, "Timestamp request expired"),
    "60007": (200, "Invalid sign"),
    "60009": (200, "Login failed."),
    "60011": (200, "Please log in"),
    "60012": (200, "Invalid request: {0}"),
    "60013": (200, "Invalid args"),
    "60014": (200, "Requests too frequent"),
    "60018": (
        200,
        "Wrong URL or {0} doesn't exist. Please use the correct URL, channel and parameters"
        " referring to API document.",
    ),
    "60019": (200, "Invalid op: {0}"),
    "60023": (200, "Bulk login requests too frequent"),
    "60024": (200, "Wrong passphrase"),
    "60027": (200, "Parameter {0} can not be empty."),
    "60028": (
        200,
        "The current operation is not supported by this URL."
        " Please use the correct WebSocket URL for the operation.",
    ),
    "60031": (200, "The WebSocket endpoint does not allow multiple or repeated logins."),
    "60032": (200, "API key doesn't exist."),
    "60033": (200, "Parameter {0} error."),
    "63999": (200, "Login failed due to internal error. Please try again later."),
    "64000": (
        200,
        "Subscription parameter uly is unavailable anymore, please replace uly with instFamily.",
    ),
    "64001": (
        200,
        "This channel has been migrated to the '/business' URL."
        " Please subscribe using the new URL.",
    ),
    "64002": (
        200,
        'This channel is not supported by "/business" URL. Please use "/private" URL(for private'
        ' channels), or "/public" URL(for public channels).',
    ),
    "64003": (200, "Your trading fee tier doesn't meet the requirement to access this channel"),
    "64007": (
        200,
        "Operation {0} failed due to WebSocket internal error. Please try again later.",
    ),
    "64008": (
        200,
        "The connection will soon be closed for a service upgrade. Please reconnect.",
    ),
    **codes_algo.TABLE,
    **codes_states.TABLE,
}

KNOWN: Final = frozenset(_TABLE)

INSUFFICIENT_BALANCE: Final = "1000"
INSUFFICIENT_MARGIN: Final = "1001"


class OkxError(Exception):
    """A refusal with an OKX code; `sub_code` refines it in order rows."""

    def __init__(self, code: str, *params: str, sub_code: str = "") -> None:
        self.code = code
        self.sub_code = sub_code
        self.message = message_of(code).format(*params) if params else message_of(code)
        super().__init__(f"{code} {self.message}")

    @property
    def http(self) -> int:
        return http_of(self.code)


def http_of(code: str) -> int:
    return _TABLE.get(code, (200, ""))[0]


def message_of(code: str) -> str:
    return _TABLE.get(code, (200, "Operation failed."))[1]


def plain_message_of(code: str) -> str:
    """The message without what only a real refusal could fill in."""
    return _PLACE.sub("", message_of(code))


def insufficient(ccy: str, what: str) -> OkxError:
    """51008 with its sub-code: `what` is `balance` (spot) or `margin` (contracts)."""
    sub_code = INSUFFICIENT_BALANCE if what == "balance" else INSUFFICIENT_MARGIN
    return OkxError("51008", ccy, what, sub_code=sub_code)


def parameter(name: str) -> OkxError:
    return OkxError("51000", name)


def missing(name: str) -> OkxError:
    return OkxError("50014", name)
