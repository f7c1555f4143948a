"""The control API: who may call it, which handler answers, and the form of refusals."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from aiohttp import web

from trading.simulator import (
    actions_account,
    actions_forced,
    actions_market,
    control_accounts,
    control_faults,
    control_scenario,
    control_venue,
    guard,
    webpage,
)
from trading.simulator.actions import REFUSALS
from trading.simulator.control_input import (
    Asked,
    Handlers,
    NotThereError,
    read_body,
    respond,
)
from trading.simulator.hub import Hub

_HANDLERS: Final[Handlers] = {
    **actions_account.HANDLERS,
    **actions_forced.HANDLERS,
    **actions_market.HANDLERS,
    **control_accounts.HANDLERS,
    **control_faults.HANDLERS,
    **control_scenario.HANDLERS,
    **control_venue.HANDLERS,
}
_PATHS: Final = {path for _, path in _HANDLERS}
_FILES: Final = ("/scenario",)
_MAY_LACK_BODY: Final = ("/reset", "/restart-notice", "/cut-sockets", "/restart")


async def handle(hub: Hub, request: web.Request) -> web.Response:
    """Every refusal is a 4xx with `error` and `field`; nothing was changed then."""
    if request.method == "GET" and request.path in webpage.FILES:
        return webpage.show(request.path)
    try:
        guard.check(request.headers, request.path, hub.venue.control_token)
    except guard.RefusedError as error:
        return respond({"error": str(error), "field": ""}, error.status)
    path, name = _pattern(request.raw_path.partition("?")[0])
    handler = _HANDLERS.get((request.method, path))
    if handler is None:
        return respond({"error": "not found", "field": ""}, 405 if path in _PATHS else 404)
    try:
        answer = await handler(hub, await _asked(request, path, name))
    except REFUSALS as error:
        return respond({"error": str(error), "field": error.field}, 400)
    except NotThereError as error:
        return respond({"error": str(error), "field": ""}, 404)
    if request.method != "GET":
        await hub.venue.ledger.flush()
    return respond(answer)


async def _asked(request: web.Request, path: str, name: str) -> Asked:
    query = dict(request.query)
    if request.method in ("GET", "DELETE"):
        return Asked({}, query, name)
    data = await request.read()
    if path in _FILES:
        return Asked({}, query, name, data.decode(errors="replace"))
    if not data and path.endswith(_MAY_LACK_BODY):
        return Asked({}, query, name)
    return Asked(read_body(data), query, name)


def _pattern(raw_path: str) -> tuple[str, str]:
    """`/accounts/KEY/reset` is the pattern `/accounts/*/reset` and the name KEY."""
    parts = raw_path.split("/")
    if raw_path in _PATHS or len(parts) < 3:  # noqa: PLR2004 - no name in it
        return raw_path, ""
    name, parts[2] = unquote(parts[2]), "*"
    return "/".join(parts), name
