"""A trader without a plan: any call at any time, over REST and over the socket."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final

import aiohttp

from tests.simulator.client import Client, iso, signature

SWAPS: Final = ("BTC-USDT-SWAP", "ETH-USDT-SWAP", "SOL-USDT-SWAP", "BTC-USD-SWAP")
SPOTS: Final = ("BTC-USDT", "ETH-USDT")
TYPES: Final = (
    "market",
    "market",
    "limit",
    "limit",
    "post_only",
    "ioc",
    "fok",
    "optimal_limit_ioc",
)
OPERATIONS: Final = ("order", "cancel-order", "amend-order", "batch-orders")
CHANNELS: Final = (
    {"channel": "orders", "instType": "ANY"},
    {"channel": "positions", "instType": "ANY"},
    {"channel": "account"},
    {"channel": "balance_and_position"},
)
LOST: Final = (aiohttp.ClientError, ConnectionError, TimeoutError)
PATIENCE: Final = aiohttp.ClientTimeout(total=5)


class Trader:
    """Half of them hedge. What they are told is counted by code."""

    def __init__(self, client: Client, http: aiohttp.ClientSession, seed: int) -> None:
        self.client, self.http = client, http
        self.random = Random(seed)
        self.hedged = seed % 2 == 1
        self.prices: dict[str, float] = {}
        self.orders: list[tuple[str, str]] = []
        self.algos: list[tuple[str, str]] = []
        self.told: Counter[str] = Counter()
        self.pushes = 0
        self._made = 0

    async def trade(self, pause_s: float) -> None:
        """Until it is canceled."""
        await self.call("POST", "account/set-position-mode", {"posMode": self._mode()})
        while True:
            action = self.random.choices(ACTIONS, WEIGHTS)[0]
            await action(self)
            await asyncio.sleep(self.random.uniform(0, 2 * pause_s))

    async def listen(self, url: str) -> None:
        """Follow the private channels, send operations, connect again when cut off."""
        while True:
            try:
                async with self.http.ws_connect(url) as socket:
                    await socket.send_json(self.client.login())
                    await socket.send_json({"op": "subscribe", "args": CHANNELS})
                    await self._follow(socket)
            except LOST:
                self.told["socket lost"] += 1
            await asyncio.sleep(0.2)

    async def call(self, method: str, path: str, body: Any = None) -> list[Any]:
        """The rows of a good answer; anything else is only counted."""
        path = f"/api/v5/{path}"
        data = b"" if body is None else json.dumps(body).encode()
        stamp = iso()
        headers = {
            "OK-ACCESS-KEY": self.client.key,
            "OK-ACCESS-SIGN": signature(self.client.secret, stamp + method + path, data),
            "OK-ACCESS-TIMESTAMP": stamp,
            "OK-ACCESS-PASSPHRASE": self.client.passphrase,
            "Content-Type": "application/json",
        }
        url = self.client.simulator.rest + path
        try:
            async with self.http.request(
                method, url, data=data or None, headers=headers, allow_redirects=False
            ) as answer:
                read = json.loads(await answer.read())
        except LOST:
            self.told["no answer"] += 1
            return []
        except ValueError:
            self.told["not JSON"] += 1
            return []
        rows: list[Any] = read["data"] or []
        self.told[read["code"]] += 1
        for row in rows:
            if isinstance(row, dict) and row.get("sCode", "0") != "0":
                self.told[row["sCode"]] += 1
        return rows

    async def place(self) -> None:
        terms = self.terms()
        self._remember([terms], await self.call("POST", "trade/order", terms))

    async def place_several(self) -> None:
        terms = [self.terms() for _ in range(self.random.randint(2, 6))]
        self._remember(terms, await self.call("POST", "trade/batch-orders", terms))

    async def amend(self) -> None:
        if self.orders:
            inst_id, ord_id = self.random.choice(self.orders)
            body = {"instId": inst_id, "ordId": ord_id, "newSz": self._size(inst_id)}
            await self.call("POST", "trade/amend-order", body)

    async def cancel(self) -> None:
        if self.orders:
            inst_id, ord_id = self.orders.pop(self.random.randrange(len(self.orders)))
            await self.call("POST", "trade/cancel-order", {"instId": inst_id, "ordId": ord_id})

    async def close(self) -> None:
        body = {"instId": self.random.choice(SWAPS), "mgnMode": self._margin(), "autoCxl": "true"}
        if self.hedged:
            body["posSide"] = self.random.choice(("long", "short"))
        await self.call("POST", "trade/close-position", body)

    async def set_leverage(self) -> None:
        lever = str(self.random.choice((2, 5, 10, 20, 50)))
        mode = self._margin()
        body = {"instId": self.random.choice(SWAPS), "lever": lever, "mgnMode": mode}
        if self.hedged and mode == "isolated":
            body["posSide"] = self.random.choice(("long", "short"))
        await self.call("POST", "account/set-leverage", body)

    async def set_mode(self) -> None:
        """Nearly always refused: there are orders or positions."""
        await self.call("POST", "account/set-position-mode", {"posMode": self._mode()})

    async def place_algo(self) -> None:
        terms = self.terms(self.random.choice(SWAPS))
        price = self._near(terms["instId"], 0.03)
        terms.pop("px", None)
        terms["ordType"] = self.random.choice(("conditional", "trigger", "oco", "move_order_stop"))
        above, below = self._near(terms["instId"], 0.02, 1), self._near(terms["instId"], 0.02, -1)
        terms |= {
            "conditional": {"slTriggerPx": below, "slOrdPx": "-1"},
            "trigger": {"triggerPx": price, "orderPx": "-1"},
            "oco": {"tpTriggerPx": above, "tpOrdPx": "-1", "slTriggerPx": below, "slOrdPx": "-1"},
            "move_order_stop": {"callbackRatio": "0.01"},
        }[terms["ordType"]]
        terms.pop("clOrdId")
        rows = await self.call("POST", "trade/order-algo", terms)
        self.algos += [(terms["instId"], row["algoId"]) for row in rows if row.get("algoId")]

    async def cancel_algos(self) -> None:
        gone, self.algos = self.algos[:5], self.algos[5:]
        if gone:
            body = [{"instId": inst_id, "algoId": algo_id} for inst_id, algo_id in gone]
            await self.call("POST", "trade/cancel-algos", body)

    async def move_margin(self) -> None:
        body = {
            "instId": self.random.choice(SWAPS),
            "posSide": self.random.choice(("long", "short")) if self.hedged else "net",
            "type": self.random.choice(("add", "reduce")),
            "amt": str(self.random.randint(1, 500)),
        }
        await self.call("POST", "account/position/margin-balance", body)

    async def cancel_all_after(self) -> None:
        await self.call("POST", "trade/cancel-all-after", {"timeOut": "10"})

    async def look(self) -> None:
        await self.call("GET", self.random.choice(LOOKS))

    async def ask_prices(self) -> None:
        for inst_id in (*SWAPS, *SPOTS):
            for row in await self.call("GET", f"market/ticker?instId={inst_id}"):
                self.prices[inst_id] = float(row["last"])

    def terms(self, inst_id: str = "") -> dict[str, Any]:
        """An order that is often, not always, acceptable."""
        self._made += 1
        inst_id = inst_id or self.random.choice((*SWAPS, *SPOTS))
        spot = inst_id in SPOTS
        side, kind = self.random.choice(("buy", "sell")), self.random.choice(TYPES)
        made: dict[str, Any] = {
            "instId": inst_id,
            "tdMode": "cash" if spot else self._margin(),
            "side": side,
            "ordType": "market" if spot and kind == "optimal_limit_ioc" else kind,
            "sz": self._size(inst_id),
            "clOrdId": f"{self.client.key}x{self._made}",
        }
        if kind not in ("market", "optimal_limit_ioc"):
            made["px"] = self._near(inst_id, 0.004)
        if self.hedged and not spot:
            made["posSide"] = self.random.choice(("long", "short"))
        elif not spot and self.random.random() < 0.2:
            made["reduceOnly"] = True
        if not spot and self.random.random() < 0.1:
            made["attachAlgoOrds"] = [
                {
                    "slTriggerPx": self._near(inst_id, 0.02, -1 if side == "buy" else 1),
                    "slOrdPx": "-1",
                }
            ]
        return made

    def frame(self) -> dict[str, Any]:
        """An operation for the socket."""
        op = self.random.choice(OPERATIONS)
        args: list[Any] = [self.terms()]
        if op in ("cancel-order", "amend-order") and self.orders:
            inst_id, ord_id = self.random.choice(self.orders)
            args = [{"instId": inst_id, "ordId": ord_id}]
            if op == "amend-order":
                args[0]["newSz"] = self._size(inst_id)
        return {"id": str(self._made), "op": op, "args": args}

    async def _follow(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            try:
                message = await socket.receive(timeout=self.random.uniform(0, 1))
            except TimeoutError:
                say = "ping" if self.random.random() < 0.2 else json.dumps(self.frame())
                await socket.send_str(say)
                continue
            if message.type is not aiohttp.WSMsgType.TEXT:
                self.told[f"socket closed {message.data}"] += 1
                return
            self.pushes += 1

    def _remember(self, terms: list[dict[str, Any]], rows: list[Any]) -> None:
        for each, row in zip(terms, rows, strict=False):
            if row.get("ordId"):
                self.orders.append((each["instId"], row["ordId"]))
        self.orders = self.orders[-30:]

    def _near(self, inst_id: str, part: float, way: int = 0) -> str:
        tick = {"BTC": 1, "ETH": 2, "SOL": 2}[inst_id[:3]]
        away = self.random.uniform(0, part) * way if way else self.random.uniform(-part, part)
        return f"{self.prices.get(inst_id, 100.0) * (1 + away):.{tick}f}"

    def _size(self, inst_id: str) -> str:
        if inst_id in SPOTS:
            return f"{self.random.uniform(10, 500):.0f}" if self.random.random() < 0.5 else "0.01"
        return str(self.random.choice((1, 2, 5, 20, 100)))

    def _margin(self) -> str:
        return self.random.choice(("cross", "isolated"))

    def _mode(self) -> str:
        return "long_short_mode" if self.hedged else "net_mode"


LOOKS: Final = (
    "account/balance",
    "account/positions",
    "account/positions-history",
    "account/bills",
    "account/config",
    "trade/orders-pending",
    "trade/orders-history?instType=SWAP",
    "trade/orders-history-archive?instType=SPOT",
    "trade/fills",
    "trade/orders-algo-pending?ordType=conditional",
    "trade/orders-algo-history?ordType=trigger&state=effective",
    "account/max-size?instId=BTC-USDT-SWAP&tdMode=cross",
    "market/books?instId=BTC-USDT-SWAP&sz=50",
    "market/candles?instId=ETH-USDT-SWAP&bar=1m",
    "market/trades?instId=BTC-USDT-SWAP",
    "public/funding-rate?instId=BTC-USDT-SWAP",
    "public/mark-price?instType=SWAP",
)
_CHOICES: Final[tuple[tuple[Callable[[Trader], Any], int], ...]] = (
    (Trader.place, 40),
    (Trader.place_several, 8),
    (Trader.amend, 8),
    (Trader.cancel, 10),
    (Trader.close, 5),
    (Trader.set_leverage, 4),
    (Trader.set_mode, 1),
    (Trader.place_algo, 6),
    (Trader.cancel_algos, 3),
    (Trader.move_margin, 2),
    (Trader.cancel_all_after, 1),
    (Trader.look, 12),
    (Trader.ask_prices, 3),
)
ACTIONS: Final = [action for action, _ in _CHOICES]
WEIGHTS: Final = [weight for _, weight in _CHOICES]
