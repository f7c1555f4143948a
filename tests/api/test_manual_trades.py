"""A trade by a program: once, whatever is sent twice; and the switch that only gets stricter."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.enums import Role
from accounts.models import AuditEntry
from accounts.tenancy import tenant_scope
from signals import ports
from signals.models import Signal
from tests import factories as make
from tests.api.calls import Program, Programs, told
from trading.enums import TradingMode
from trading.marketbook import StoredMarketBook
from trading.models import TradingState
from trading.switch import set_mode

pytestmark = [pytest.mark.django_db, pytest.mark.database]
KEY = "Idempotency-Key"


@pytest.fixture(autouse=True)
def market() -> Any:
    before = ports.market_book()
    ports.use_market_book(StoredMarketBook())
    yield
    ports.use_market_book(before)


def body(account: Any, **changes: Any) -> dict[str, Any]:
    return {
        "account_id": str(account.uid),
        "instrument": "BTC-USDT-SWAP",
        "intent": "open",
        "direction": "long",
        "quantity": {"mode": "contracts", "value": "1.5"},
        "leverage": "2",
    } | changes


def trade(program: Program, data: Any, key: str | None = "one") -> Any:
    headers = {} if key is None else {KEY: key}
    return program.call("post", "trades/manual", data, headers=headers)


def signals_of(programs: Programs) -> int:
    with tenant_scope(programs.world.tenant):
        return int(Signal.objects.filter(account__isnull=False).count())


def test_a_manual_trade_is_a_signal_for_one_account(programs: Programs) -> None:
    account = programs.world.accounts[0]

    answer = trade(programs.integrator, body(account))

    assert answer.status_code == 202
    assert "Idempotent-Replay" not in answer
    data = answer.json()["data"]
    with tenant_scope(programs.world.tenant):
        signal = Signal.objects.select_related("source", "created_by").get(pk=data["signal_id"])
        entry = AuditEntry.objects.get(action="signal.entered", object_id=str(signal.pk))
    assert (signal.account_id, signal.quantity, signal.leverage) == (account.pk, Decimal("1.5"), 2)
    assert (signal.source.kind, signal.created_by) == ("manual", programs.people[Role.INTEGRATOR])
    assert "API: " in entry.actor_label
    assert data["trades"] == f"/api/v1/trades?signal_id={signal.pk}"
    assert programs.integrator.get(data["trades"]).json()["data"]["total"] == 0
    assert programs.integrator.get(data["decisions"]).status_code == 200


def test_the_same_key_and_body_is_answered_with_the_same_signal(programs: Programs) -> None:
    account = programs.world.accounts[0]
    first = trade(programs.integrator, body(account))
    number = body(account, quantity={"value": Decimal("1.50"), "mode": "contracts"}, leverage=2)

    again = trade(programs.integrator, number)

    assert (again.status_code, again["Idempotent-Replay"]) == (202, "true")
    assert again.json()["data"] == first.json()["data"]
    assert signals_of(programs) == 1


@pytest.mark.parametrize("change", [{"direction": "short"}, {"leverage": "3"}, {"account_id": 1}])
def test_the_same_key_with_another_body_is_refused(
    programs: Programs, change: dict[str, Any]
) -> None:
    account, other = programs.world.accounts[:2]
    if "account_id" in change:
        change = {"account_id": str(other.uid)}
    trade(programs.integrator, body(account))

    status, code, fields = told(trade(programs.integrator, body(account, **change)))

    assert (status, code, [name for name, _ in fields]) == (409, "conflict", [KEY])
    assert signals_of(programs) == 1


def test_another_members_same_key_is_another_instruction(programs: Programs) -> None:
    account = programs.world.accounts[0]
    owner = Program(make.make_token(programs.world.owner, programs.world.tenant))

    found = {trade(p, body(account)).json()["data"]["signal_id"]
             for p in (programs.integrator, owner)}  # fmt: skip

    assert len(found) == 2


@pytest.mark.parametrize("key", [None, "", "a" * 129, "with space", "schlüssel"])
def test_a_key_is_needed_and_bounded(programs: Programs, key: str | None) -> None:
    status, _, fields = told(trade(programs.integrator, body(programs.world.accounts[0]), key))

    assert (status, [name for name, _ in fields]) == (400, [KEY])
    assert signals_of(programs) == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": {"mode": "contracts", "value": "0"}}, "quantity.value"),
        ({"quantity": {"mode": "percent", "value": "5"}}, "quantity.mode"),
        ({"quantity": {"mode": "contracts", "value": "1", "unit": "x"}}, "quantity.unit"),
        ({"quantity": None}, "quantity"),
        ({"instrument": "NOPE-USDT-SWAP"}, "instrument"),
        ({"intent": "buy"}, "intent"),
        ({"leverage": "0.5"}, "leverage"),
        ({"take_profit": "1"}, "take_profit"),
        ({"account_id": "x"}, "account_id"),
    ],
)
def test_a_refusal_names_the_field_stores_nothing_and_leaves_the_key_free(
    programs: Programs, change: dict[str, Any], field: str
) -> None:
    account = programs.world.accounts[0]

    status, _, fields = told(trade(programs.integrator, body(account, **change)))

    assert (status, [name for name, _ in fields]) == (400, [field])
    assert signals_of(programs) == 0
    assert trade(programs.integrator, body(account)).status_code == 202


def test_a_foreign_account_is_refused_as_one_that_never_was(programs: Programs) -> None:
    answers = [
        told(trade(programs.integrator, body(programs.world.accounts[0], account_id=uid)))
        for uid in (str(programs.stranger.accounts[0].uid), "00000000-0000-4000-8000-000000000000")
    ]

    assert answers[0] == answers[1]
    assert answers[0][0] == 400
    assert signals_of(programs) == 0


def test_the_scope_and_for_staff_the_hands_are_needed(programs: Programs) -> None:
    data = body(programs.world.accounts[0])
    support = make.make_token(programs.people[Role.SUPPORT], programs.world.tenant, ("read",))

    for program in (programs.reader, programs.customer, Program(support)):
        assert told(trade(program, data))[:2] == (403, "missing_scope")
    assert trade(Program(), data).status_code == 401
    assert signals_of(programs) == 0


def test_pausing_tightens_and_repeats_and_never_loosens(programs: Programs) -> None:
    halt = {"reason": "Odd fills"}

    first = programs.integrator.post("trading/pause", halt)
    again = programs.integrator.post("trading/pause", halt)
    softer = programs.integrator.post("trading/pause", {"mode": "reduce_only", "reason": "x"})

    assert (first.status_code, first.json()["data"]["mode"]) == (200, "halted")
    assert again.json()["data"] == first.json()["data"]
    status, code, fields = told(softer)
    assert (status, code, fields[0][0]) == (409, "conflict", "mode")
    with tenant_scope(programs.world.tenant):
        state = TradingState.objects.get(scope_key=str(programs.world.tenant.pk))
    assert (state.mode, state.reason) == (TradingMode.HALTED, "Odd fills")


def test_a_program_neither_flattens_nor_softens_a_flatten(programs: Programs) -> None:
    tenant = programs.world.tenant
    flatten = programs.integrator.post("trading/pause", {"mode": "flatten", "reason": "all out"})
    assert told(flatten)[2][0][0] == "mode"
    state = set_mode(mode=TradingMode.FLATTEN, reason="a person", actor=None, tenant=tenant)

    for mode in ("halted", "reduce_only"):
        softer = programs.integrator.post("trading/pause", {"mode": mode, "reason": "x"})
        assert told(softer)[:2] == (409, "conflict")

    with tenant_scope(tenant):
        state.refresh_from_db()
    assert (state.mode, state.reason) == (TradingMode.FLATTEN, "a person")


def test_a_pause_needs_a_reason_a_scope_and_knows_no_way_back(programs: Programs) -> None:
    assert told(programs.integrator.post("trading/pause"))[2][0][0] == "reason"
    active = programs.integrator.post("trading/pause", {"mode": "active", "reason": "go"})
    assert told(active)[2][0][0] == "mode"
    assert told(programs.reader.post("trading/pause", {"reason": "x"}))[:2] == (
        403, "missing_scope",
    )  # fmt: skip
    assert programs.integrator.post("trading/resume", {"reason": "x"}).status_code == 404
    with tenant_scope(programs.world.tenant):
        assert not TradingState.objects.filter(scope_key=str(programs.world.tenant.pk)).exists()
