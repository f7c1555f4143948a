"""Where each market is reached, and the client that this process asks."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Protocol

from django.conf import settings

from customers.credentials import Keyed, credentials_for
from customers.enums import Market
from customers.models import ExchangeAccount
from trading.exchange.client import ExchangeClient
from trading.exchange.runner import client_for
from trading.exchange.types import Credentials, Endpoint

# A key must never be sent to a host that somebody typed into a form.
OKX_HOST: Final = re.compile(r"(?:[a-z0-9-]+\.)+okx\.com")


class NoMarket(LookupError):  # noqa: N818 - says what is missing
    """This installation has no addresses of the market."""


def endpoint_of_market(market: str, api_host: str = "") -> Endpoint:
    """The addresses of a market; `api_host` replaces the REST host of one account.

    A host that is not OKX's is ignored. Raises NoMarket.
    """
    addresses = settings.MARKETS.get(market)
    if addresses is None:
        raise NoMarket(f"no addresses of the market {market!r} are set")
    return _endpoint(market, api_host, addresses["rest"], addresses["ws"])


@lru_cache(1024)
def _endpoint(market: str, api_host: str, rest: str, ws: str) -> Endpoint:
    sockets = ws.rstrip("/")
    return Endpoint(
        market=market,
        rest=f"https://{api_host}" if OKX_HOST.fullmatch(api_host) else rest,
        ws_public=f"{sockets}/public",
        ws_private=f"{sockets}/private",
        ws_business=f"{sockets}/business",
        simulated_header=market == Market.DEMO,
    )


class Placed(Protocol):
    """Whatever says where an account is: the row, or as much of it as was read."""

    @property
    def market(self) -> str: ...
    @property
    def api_host(self) -> str: ...


def endpoint_of(account: Placed | ExchangeAccount) -> Endpoint:
    return endpoint_of_market(account.market, account.api_host)


def client_of(account: Placed | ExchangeAccount) -> ExchangeClient:
    """The client for an account; its coroutines run in `exchange_loop()` only."""
    return client_for(endpoint_of(account))


def keys_of(account: Keyed, *, purpose: str) -> Credentials:
    """The account's key as the exchange door wants it. Raises NoKey."""
    stored = credentials_for(account, purpose=purpose)
    return Credentials(stored.api_key, stored.secret, stored.passphrase)
