"""What goes wrong between us and the exchange, by path."""

from __future__ import annotations

from typing import Any

INSTRUMENT = "BTC-USDT-SWAP"
PLACE = {"path": "/api/v5/trade/order", "method": "POST"}
LOOKUP = {"path": "/api/v5/trade/order", "method": "GET"}
LEVERAGE = {"path": "/api/v5/account/set-leverage", "method": "POST"}
LISTS = tuple(
    {"path": f"/api/v5/trade/{name}", "method": "GET"}
    for name in ("orders-pending", "orders-history", "fills", "fills-history")
)
# Every fault of the wire, before and after the exchange took the order.
HTTP: tuple[Any, ...] = (
    "drop_before",
    "drop_after_accept",
    "rst_after_accept",
    "hang:9000",
    "late_accept:600",
    "late_accept:2500",
    {"kind": "late_accept", "ms": 900, "silent": True},
    "truncate",
    "html_200",
    "empty_200",
    "data_empty",
    "slow_body:1500",
    "redirect:302",
    "redirect:307",
    *(f"http:{status}" for status in (429, 502, 503, 504, 520, 524, 529)),
    *({"kind": "http", "status": status, "after": True} for status in (502, 504, 524)),
    *(f"code:{code}" for code in ("50001", "50004", "50011", "50013", "50026", "50061", "50102")),
    "code:51149",
    *(
        {"kind": "code", "code": code, "after": True}
        for code in ("50001", "50004", "50013", "50026", "51149")
    ),
)
CANCEL = {"path": "/api/v5/trade/cancel-batch-orders", "method": "POST"}
AMEND = {"path": "/api/v5/trade/amend-order", "method": "POST"}
ALGO = {"path": "/api/v5/trade/order-algo", "method": "POST"}
CANCEL_ALGO = {"path": "/api/v5/trade/cancel-algos", "method": "POST"}
