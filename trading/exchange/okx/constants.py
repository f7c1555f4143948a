"""Where each market lives, and the few numbers OKX fixes for everybody."""

from __future__ import annotations

from urllib.parse import urlsplit

from trading.exchange.types import Endpoint

SIMULATOR = "simulator"
DEMO = "demo"

# market -> (REST host, WebSocket host and port)
HOSTS = {
    DEMO: ("www.okx.com", "wspap.okx.com:8443"),
    "live-global": ("www.okx.com", "ws.okx.com:8443"),
    "live-eea": ("eea.okx.com", "wseea.okx.com:8443"),
    "live-us": ("us.okx.com", "wsus.okx.com:8443"),
}
WEBSOCKET_PATH = "/ws/v5"

PAGE_SIZE = 100
# A guard against a paging cursor that never ends, far above what an account can hold.
MAX_PAGES = 200

# OKX closes a socket that was silent for 30 s.
PING_AFTER_S = 20.0
PONG_WITHIN_S = 8.0
CONNECTIONS_PER_SECOND = 3.0
# One subscribe request may not exceed 64 KB in all; an argument takes about 60 bytes.
ARGUMENTS_PER_SUBSCRIBE = 200


def endpoint_for(
    market: str,
    *,
    simulator_rest: str | None = None,
    simulator_ws: str | None = None,
    host: str | None = None,
) -> Endpoint:
    """The addresses of a market. `host` replaces the REST host (OKX offers several per market).

    A simulator's sockets are found under its REST address unless `simulator_ws` says otherwise.
    """
    if market == SIMULATOR:
        if not simulator_rest:
            raise ValueError("the simulator market needs simulator_rest")
        return _endpoint(market, simulator_rest, simulator_ws or _as_websocket(simulator_rest))
    if market not in HOSTS:
        raise ValueError(f"unknown market {market!r}")
    rest_host, websocket_host = HOSTS[market]
    return _endpoint(market, f"https://{host or rest_host}", f"wss://{websocket_host}")


def _endpoint(market: str, rest: str, websocket: str) -> Endpoint:
    sockets = websocket.rstrip("/").removesuffix(WEBSOCKET_PATH) + WEBSOCKET_PATH
    return Endpoint(
        market=market,
        rest=rest.rstrip("/"),
        ws_public=f"{sockets}/public",
        ws_private=f"{sockets}/private",
        ws_business=f"{sockets}/business",
        simulated_header=market == DEMO,
    )


def _as_websocket(rest: str) -> str:
    parts = urlsplit(rest)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{parts.netloc}"
