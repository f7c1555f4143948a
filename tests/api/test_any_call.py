"""Whatever a program sends: no fault of ours, and every answer is as the document says.

schemathesis makes calls from the OpenAPI document, right ones and wrong ones; ids are those of
real rows most of the time, so that the calls reach what lies behind the reading of them.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from accounts.tenancy import tenant_scope
from tests import factories as make
from tests.api.calls import Programs
from trading.models import Position
from trading.protecting import protect_position

pytestmark = [pytest.mark.django_db, pytest.mark.long]

EXAMPLES = int(os.environ.get("API_EXAMPLES", "2000"))
SEED = int(os.environ.get("API_SEED", "20261125"))
NAMES = {"source_id": "sources", "account_id": "accounts", "customer_id": "customers"}
PLAUSIBLE: dict[str, Any] = {
    "instrument": "BTC-USDT-SWAP",
    "quantity": {"mode": "contracts", "value": "1"},
    "reference_price": "60000",
    "leverage": "2",
    "stop_loss": "50000",
    "take_profit": "70000",
    "position_side": "net",
    "follow_ratio": "0.5",
    "fixed_notional": "100",
    "max_leverage": "3",
    "leader_equity": "100000",
    "signal": {
        "instrument": "BTC-USDT-SWAP",
        "intent": "open",
        "direction": "long",
        "quantity": {"mode": "contracts", "value": "1"},
    },
}
_numbers = itertools.count(1)
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


@pytest.fixture
def one_connection() -> Iterator[None]:
    """The rows are in a transaction of this test: requests must not close its connection."""
    for event in (request_started, request_finished):
        event.disconnect(close_old_connections)
    logging.disable(logging.CRITICAL)  # thousands of lines that say 400
    yield
    logging.disable(logging.NOTSET)
    for event in (request_started, request_finished):
        event.connect(close_old_connections)


def rows(programs: Programs) -> dict[str, str]:
    """A real row for each field and address that names one."""
    world = programs.world
    nobody_follows = make.make_strategy(programs.source, name="Nobody follows")
    return {
        "customers": str(world.customers[1].uid),
        "accounts": str(world.accounts[1].uid),
        "sources": str(programs.source.uid),
        "signals": str(world.signals[0].pk),
        "strategies": str(nobody_follows.uid),
        "subscriptions": str(world.subscriptions[1].uid),
        # One that is stopped is never resumed: another one.
        "subscriptions/stop": str(world.subscriptions[2].uid),
        "trades": str(waiting_order(programs)),
        "protections": str(waiting_stop(programs)),
        "decisions": str(world.decisions[0].pk),
    }


def waiting_order(programs: Programs) -> Any:
    """One that can be canceled, since it was not sent."""
    order = programs.world.orders[0]
    with tenant_scope(programs.world.tenant):
        type(order).objects.filter(pk=order.pk).update(state="ready", finished_at=None)
    return order.pk


def waiting_stop(programs: Programs) -> Any:
    """One that can be taken away, and a long position for more of them."""
    account = programs.world.accounts[1]
    with tenant_scope(programs.world.tenant):
        Position.objects.filter(account=account, inst_id="BTC-USDT-SWAP").delete()
        held = make_position(account)
        return protect_position(
            position=held, take_profit=None, stop_loss=Decimal(50_000), actor=None
        ).pk


def make_position(account: Any) -> Position:
    position = Position(
        account=account, inst_id="BTC-USDT-SWAP", position_side="net", margin_mode="cross",
        quantity=5, mark_price=Decimal(60_000), updated_at=timezone.now(),
    )  # fmt: skip
    position.save()
    return position


def calls(operation: Any, known: dict[str, str], token: str) -> Iterator[Any]:
    """Right calls and wrong ones for a real row, and right ones for any."""
    fixed: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}}
    anywhere = fixed
    if "{id}" in operation.path:
        _, _, _, name, _, *act = operation.path.split("/")
        row = known.get("/".join([name, *act]), known[name])
        fixed = fixed | {"path_parameters": {"id": row}}
        yield operation.as_strategy(**anywhere)
    right = operation.as_strategy(**fixed)
    yield right
    yield right.map(lambda case: furnished(case, known))
    yield operation.as_strategy(generation_mode=GenerationMode.NEGATIVE, **fixed)


def furnished(case: Any, known: dict[str, str]) -> Any:
    """The call with real ids in its body, and with values that a desk would send."""
    if not isinstance(case.body, dict):
        return case
    body = {name: PLAUSIBLE.get(name, value) for name, value in case.body.items()}
    for name in NAMES.keys() & body.keys():
        body[name] = known[NAMES[name]]
    if "account_id" in body:
        body.pop("customer_id", None)
    _previewed(body)
    if "intent" in body:
        body["quantity"] = PLAUSIBLE["quantity"]  # optional in the document: a close needs none
        body["direction"] = "long"  # the stop loss is below
    if "source_id" in body and "instrument" in body:
        body["id"] = f"call-{next(_numbers)}"  # one of id and time is needed
    if "position_side" in body:
        body.pop("quantity", None)  # a plain number there: all that is held
    body.pop("time", None)
    case.body = body
    return case


def _previewed(body: dict[str, Any]) -> None:
    """A typed signal stands beside no stored one, and is for one account at most."""
    if "signal" in body:
        for name in ("signal_id", "customer_id", "subscription_id"):
            body.pop(name, None)


@pytest.mark.usefixtures("one_connection")
def test_every_call_is_answered_as_the_document_says(programs: Programs) -> None:
    document = schemathesis.openapi.from_wsgi("/api/schema/", WSGIHandler())
    operations = [found.ok() for found in document.get_all_operations()]
    known = rows(programs)
    token = programs.integrator.token
    made = [one for each in operations for one in calls(each, known, token)]
    told: dict[str, Counter[int]] = defaultdict(Counter)
    print(f"API_SEED={SEED}")  # noqa: T201 - how to repeat what failed

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(made))
    def call(case: Any) -> None:
        response = case.call()
        told[case.operation.label][response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    call()

    for label in sorted(told):
        print(label, dict(told[label]))  # noqa: T201
    assert sum(sum(each.values()) for each in told.values()) >= EXAMPLES
    assert set(told) == {operation.label for operation in operations}
    assert [label for label, each in told.items() if not {200, 201, 202} & set(each)] == []
