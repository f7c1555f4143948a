"""Signals that programs send: taken as a webhook's are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.enums import Role
from accounts.models import AuditEntry
from accounts.tenancy import tenant_scope
from signals import ports
from signals.models import Signal, SignalSource
from tests import factories as make
from tests.api.calls import Program, Programs, told
from trading.marketbook import StoredMarketBook

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]

TERMS: dict[str, Any] = {
    "id": "order-17",
    "instrument": "BTC-USDT-SWAP",
    "intent": "open",
    "direction": "long",
    "quantity": {"mode": "contracts", "value": "2.5"},
    "ttl_seconds": 30,
}


@pytest.fixture(autouse=True)
def markets() -> Any:
    before = ports.market_book()
    ports.use_market_book(StoredMarketBook())
    yield
    ports.use_market_book(before)


def body(programs: Programs, **changes: Any) -> dict[str, Any]:
    return {"source_id": str(programs.source.uid), **TERMS, **changes}


def stored(programs: Programs) -> list[Signal]:
    with tenant_scope(programs.world.tenant):
        return list(Signal.objects.filter(source=programs.source).select_related("created_by"))


def test_a_signal_is_taken_once(programs: Programs) -> None:
    first = programs.integrator.post("signals", body(programs))
    again = programs.integrator.post("signals", body(programs, direction="short"))

    (signal,) = stored(programs)
    assert first.status_code == 202
    told_first = {"signal_id": str(signal.pk), "status": "accepted", "duplicate": False}
    assert first.json()["data"] == told_first
    assert again.status_code == 200
    assert again.json()["data"] == told_first | {"duplicate": True}
    assert signal.created_by == programs.people[Role.INTEGRATOR]
    assert (signal.external_id, str(signal.quantity), signal.direction) == (
        "order-17", "2.5", "long",
    )  # fmt: skip
    assert (signal.expires_at - signal.signal_at).total_seconds() == 30  # type: ignore[operator]
    assert json.loads(signal.raw) == body(programs)
    with tenant_scope(programs.world.tenant):
        (entry,) = AuditEntry.objects.filter(action="signal.sent")
    assert entry.actor_id == programs.people[Role.INTEGRATOR].pk
    assert entry.object_id == str(signal.pk)


def test_numbers_may_be_numbers(programs: Programs) -> None:
    raw = json.dumps(body(programs)).replace('"2.5"', "2.5")
    client = programs.integrator

    response = client.call("post", "signals", raw)

    assert response.status_code == 202
    assert [str(signal.quantity) for signal in stored(programs)] == ["2.5"]


def test_a_refused_signal_is_stored_and_its_id_stays_free(programs: Programs) -> None:
    quantity = {"mode": "contracts", "value": "0"}

    response = programs.integrator.post("signals", body(programs, quantity=quantity))

    (signal,) = stored(programs)
    fault = ("quantity.value", "must be greater than 0")
    assert told(response) == (400, "invalid", [fault])
    assert response.json()["error"]["signal_id"] == str(signal.pk)
    assert (signal.status, signal.refused_field, signal.created_by) == (
        "refused", "quantity.value", programs.people[Role.INTEGRATOR],
    )  # fmt: skip
    assert programs.integrator.post("signals", body(programs)).status_code == 202


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "id"),
        ({"intent": "buy"}, "intent"),
        ({"instrument": "DOGE-USDT-SWAP"}, "instrument"),
        ({"time": "2099-01-01T00:00:00Z"}, "time"),
        ({"take_profit": "1"}, "take_profit"),
        ({"secret": "hunter2"}, "secret"),
        ({"account_id": "x"}, "account_id"),
        ({"tenant": 1}, "tenant"),
        ({"status": "copied"}, "status"),
        ({"quantity": {"mode": "contracts", "value": 1, "unit": "x"}}, "quantity.unit"),
    ],
)
def test_faults_are_named(programs: Programs, changes: dict[str, Any], field: str) -> None:
    response = programs.integrator.post("signals", body(programs, **changes))

    assert [name for name, _ in told(response)[2]] == [field]
    assert [signal.status for signal in stored(programs)] == ["refused"]


def test_only_a_source_for_programs_of_this_desk(programs: Programs) -> None:
    sources = [
        None,
        "",
        "x",
        7,
        {"uid": 1},
        "2f0d8a1e-8a0e-4b5e-9c3a-3b1a6f0f3d11",
        str(programs.foreign_source.uid),
        str(programs.world.sources[0].uid),
        str(programs.source.pk),
    ]
    answers = [programs.integrator.post("signals", body(programs, source_id=s)) for s in sources]

    assert {answer.status_code for answer in answers} == {400}
    assert {name for answer in answers for name, _ in told(answer)[2]} == {"source_id"}
    assert told(answers[5]) == told(answers[6])
    assert stored(programs) == []
    with tenant_scope(programs.stranger.tenant):
        assert not Signal.objects.filter(source=programs.foreign_source).exists()


def test_a_disabled_source_refuses(programs: Programs) -> None:
    with tenant_scope(programs.world.tenant):
        SignalSource.objects.filter(pk=programs.source.pk).update(status="disabled")

    response = programs.integrator.post("signals", body(programs))

    assert told(response)[2] == [("source", "the source is disabled")]


def test_more_than_a_source_may_send_in_a_second(programs: Programs) -> None:
    with tenant_scope(programs.world.tenant):
        SignalSource.objects.filter(pk=programs.source.pk).update(rate_per_second=1)
    assert programs.integrator.post("signals", body(programs)).status_code == 202

    refused = programs.integrator.post("signals", body(programs, id="another"))
    again = programs.integrator.post("signals", body(programs))

    assert told(refused) == (429, "throttled", [])
    assert refused["Retry-After"] == "1"
    assert again.json()["data"]["duplicate"] is True
    assert len(stored(programs)) == 1


def test_sending_needs_its_scope_and_a_role_that_may(programs: Programs) -> None:
    assert programs.reader.post("signals", body(programs)).status_code == 403
    user = programs.people[Role.INTEGRATOR]
    writer = Program(make.make_token(user, programs.world.tenant, ("signals:write",)))

    assert writer.get("signals").status_code == 403
    assert writer.post("signals", body(programs)).status_code == 202


def test_a_token_that_is_pasted_into_a_signal_is_not_kept(programs: Programs) -> None:
    token = programs.integrator.token
    programs.integrator.post("signals", body(programs, note=token))

    (signal,) = stored(programs)
    assert token not in signal.raw
    assert "cpd_***" in signal.raw
