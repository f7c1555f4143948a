"""What would happen, asked by a program: what really happens, with no trace that it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.enums import ApiScope, Role
from accounts.models import AuditEntry
from accounts.roles import scopes_of
from accounts.tenancy import tenant_scope
from signals import ports
from signals.models import LeaderPosition, Signal
from strategies.models import Subscription
from tests import factories as make
from tests.api.calls import Program, fields_of, told
from tests.trading.copying.desk import BTC, PRICE, Desk, d, ended, make_desk
from trading.api.serializers import written
from trading.copying import foreseeing
from trading.marketbook import StoredMarketBook
from trading.models import Cycle, Decision, Order

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]
ROWS = (Signal, Subscription, Decision, Cycle, Order, LeaderPosition, AuditEntry)
OPEN: dict[str, Any] = {
    "instrument": BTC,
    "intent": "open",
    "direction": "long",
    "quantity": {"mode": "contracts", "value": "10"},
    "reference_price": str(PRICE),
}


@pytest.fixture(autouse=True)
def market() -> Iterator[None]:
    before = ports.market_book()
    ports.use_market_book(StoredMarketBook())
    yield
    ports.use_market_book(before)


@pytest.fixture
def desk() -> Desk:
    return make_desk(open_orders="market")


def program(desk: Desk, role: Role = Role.INTEGRATOR, *scopes: str) -> Program:
    user = make.make_user(role, tenant=desk.tenant)
    return Program(make.make_token(user, desk.tenant, scopes or ("read",)))


def ask(desk: Desk, caller: Program | None = None, **body: Any) -> Any:
    caller = caller or program(desk)
    return caller.post(f"strategies/{desk.strategy.uid}/preview", body)


def answered(desk: Desk, caller: Program | None = None, **body: Any) -> Any:
    response = ask(desk, caller, **body)
    assert response.status_code == 200, response.content
    return response.json()["data"]


def counted(desk: Desk) -> list[int]:
    with tenant_scope(desk.tenant):
        return [model.objects.count() for model in ROWS]


def test_it_tells_what_happens_then_and_leaves_nothing(desk: Desk) -> None:
    link, small = desk.follower(reverse=True), desk.follower(account={"max_order_notional": d(60)})
    caller = program(desk)
    before = counted(desk)

    response = ask(desk, caller, signal=OPEN)

    assert counted(desk) == before
    data = response.json()["data"]
    assert data["is_cut"] is False
    found = {one["account_id"]: one for one in data["decisions"]}
    orders = {order.account_id: order for order in desk.hear("open", "10")}
    for sub in (link, small):
        one, really = found[str(sub.account.uid)], desk.last(sub)
        assert (one["outcome"], one["reason"]) == (really.outcome, really.reason)
        assert one["numbers"] == written(really.numbers)
        assert one["follows"] is True
        (order,) = one["orders"]
        assert d(order["quantity"]) == orders[sub.account_id].quantity
        assert order["order_type"] == orders[sub.account_id].order_type
        assert order["margin_mode"] == orders[sub.account_id].margin_mode
        assert d(order["leverage"]) == orders[sub.account_id].leverage
    reversed_one, smaller = found[str(link.account.uid)], found[str(small.account.uid)]
    assert reversed_one["orders"][0]["direction"] == "short"
    assert (smaller["reason"], smaller["orders"][0]["quantity"]) == ("CAPPED", "0.1")
    told_so = "Copied with 0.1 of 1 contract: your limit per order is 60.00 USDT."
    assert smaller["explanation"] == told_so


def test_it_is_what_the_page_shows(desk: Desk, client: Any) -> None:
    link = desk.follower()
    client.force_login(make.make_user(Role.AUDITOR, tenant=desk.tenant))
    page = client.post(
        reverse("admin:preview"),
        {
            "strategy": desk.strategy.pk, "account": link.account_id, "instrument": BTC,
            "intent": "open", "direction": "long", "quantity": "10", "mode": "contracts",
            "reference_price": PRICE,
        },
    )  # fmt: skip

    (one,) = answered(desk, signal=OPEN, account_id=str(link.account.uid))["decisions"]

    (shown,) = page.context["results"]
    assert one["explanation"] == shown["words"]
    assert {text for text in one["numbers"].values() if text[0].isdigit()} == {
        str(value).replace(",", "") for _, value in shown["numbers"] if str(value)[0].isdigit()
    }
    assert len(one["numbers"]) == len(shown["numbers"])


def test_it_starts_from_where_the_leader_and_the_follower_are(desk: Desk) -> None:
    desk.follower()
    stored = desk.say("open", "10")
    ended(desk.copy()[0])
    caller = program(desk)
    before = counted(desk)

    again = answered(desk, caller, signal_id=str(stored.pk))
    half = {"intent": "reduce", "quantity": {"mode": "percent", "value": 50}}
    less = answered(desk, caller, signal=OPEN | half)

    assert (again["signal"]["leader_before"], again["signal"]["leader_after"]) == ("10", "20")
    assert [o["leg"] for o in again["decisions"][0]["orders"]] == ["add"]
    (order,) = less["decisions"][0]["orders"]
    assert (order["leg"], order["quantity"], order["price"]) == ("reduce", "0.5", None)
    assert (less["signal"]["leader_after"], less["signal"]["source_name"]) == (
        "5",
        desk.source.name,
    )
    assert counted(desk) == before


def test_money_and_coins_become_contracts_as_on_receipt(desk: Desk) -> None:
    desk.follower()
    for mode, value in (("notional", "6000"), ("base", "0.1")):
        quantity = {"mode": mode, "value": value}
        data = answered(desk, signal=OPEN | {"quantity": quantity, "reference_price": None})

        assert (data["signal"]["quantity"], data["signal"]["unit"]) == ("10", "contracts"), mode
        assert data["decisions"][0]["orders"][0]["quantity"] == "1"


def test_an_old_signal_is_told_to_be_too_old(desk: Desk) -> None:
    desk.follower()
    long_ago = (timezone.now() - timedelta(seconds=90)).isoformat()

    (one,) = answered(desk, signal=OPEN | {"time": long_ago})["decisions"]

    assert (one["outcome"], one["reason"], one["orders"]) == ("skipped", "EXPIRED", [])


def test_for_whom(desk: Desk) -> None:
    first, second = desk.follower(), desk.follower()
    stranger = make.make_account(make.make_customer(desk.tenant))
    # Who left another strategy follows this one all the same; who left this one does not.
    elsewhere = make.make_strategy(desk.source)
    make.subscribe(elsewhere, first.account, status="stopped")
    desk.follower(status="stopped")

    def accounts(**whom: str) -> list[tuple[str, bool]]:
        found = answered(desk, signal=OPEN, **whom)["decisions"]
        return sorted((one["account_id"], one["follows"]) for one in found)

    mine, other, theirs = str(first.account.uid), str(second.account.uid), str(stranger.uid)
    assert accounts() == sorted([(mine, True), (other, True)])
    assert accounts(account_id=theirs) == [(theirs, False)]
    assert accounts(customer_id=str(first.account.customer.uid)) == [(mine, True)]
    assert accounts(subscription_id=str(second.uid)) == [(other, True)]


def test_only_the_first_followers_are_decided_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreseeing, "MOST", 2)
    for _ in range(2):
        desk.follower()
    assert answered(desk, signal=OPEN)["is_cut"] is False
    desk.follower()

    data = answered(desk, signal=OPEN)

    assert (data["is_cut"], len(data["decisions"])) == (True, 2)


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, ["signal", "signal_id"]),
        ({"signal": "open"}, ["signal"]),
        ({"signal": {**OPEN, "instrument": "DOGE-USDT-SWAP"}}, ["signal.instrument"]),
        ({"signal": {**OPEN, "quantity": None}}, ["signal.quantity"]),
        ({"signal": {**OPEN, "quantity": {"mode": "lots", "value": 1}}}, ["signal.quantity.mode"]),
        ({"signal": {**OPEN, "stop_loss": "70000"}}, ["signal.stop_loss"]),
        ({"signal": {**OPEN, "time": "2200-01-01T00:00:00Z"}}, ["signal.time"]),
        ({"signal": {**OPEN, "id": "mine"}}, ["signal.id"]),
        ({"signal": OPEN, "signal_id": "0198c0de-0000-7000-8000-000000000000"}, ["signal_id"]),
        ({"signal": OPEN, "account_id": "nobody"}, ["account_id"]),
        ({"signal": OPEN, "amount": "1"}, ["amount"]),
    ],
)
def test_what_is_wrong_is_named(desk: Desk, body: Any, faults: list[str]) -> None:
    caller = program(desk)
    before = counted(desk)

    assert fields_of(ask(desk, caller, **body)) == faults
    assert counted(desk) == before


def test_what_does_not_belong_together_is_refused(desk: Desk) -> None:
    link = desk.follower()
    other = make_desk()
    elsewhere = make.make_source(desk.tenant)
    rival = make.subscribe(make.make_strategy(elsewhere), link.account)
    stored, unread = desk.say("open", "10"), desk.say("", None, direction="", status="refused")
    whose = {"account_id": str(link.account.uid), "subscription_id": str(link.uid)}

    assert fields_of(ask(desk, signal=OPEN, **whose)) == ["account_id", "subscription_id"]
    assert fields_of(ask(desk, signal=OPEN, subscription_id=str(rival.uid))) == ["subscription_id"]
    assert fields_of(ask(desk, signal=OPEN, source_id=str(elsewhere.uid))) == ["source_id"]
    assert fields_of(ask(desk, signal_id=str(unread.pk))) == ["signal_id"]
    both = {"signal_id": str(stored.pk), "source_id": str(desk.source.uid)}
    assert fields_of(ask(desk, **both)) == ["source_id"]
    assert fields_of(ask(desk, signal=OPEN, source_id=str(other.source.uid))) == ["source_id"]
    with tenant_scope(desk.tenant):
        desk.source.status = "disabled"
        desk.source.save()
    assert fields_of(ask(desk, signal=OPEN)) == ["source_id"]
    with tenant_scope(desk.tenant):
        desk.strategy.source_links.all().delete()
    assert fields_of(ask(desk, signal=OPEN)) == ["source_id"]


@pytest.mark.parametrize("role", [role for role in Role if scopes_of(role)])
def test_whoever_reads_the_desk_may_ask_and_no_customer(desk: Desk, role: Role) -> None:
    desk.follower()

    response = ask(desk, program(desk, role), signal=OPEN)

    if role == Role.CUSTOMER:
        assert told(response)[:2] == (404, "not_found") or response.status_code == 403
    else:
        assert response.status_code == 200


def test_a_token_that_may_not_read_may_not_ask(desk: Desk) -> None:
    caller = program(desk, Role.INTEGRATOR, ApiScope.SIGNALS_WRITE)

    assert told(ask(desk, caller, signal=OPEN))[:2] == (403, "missing_scope")


def test_another_desk_s_rows_are_none(desk: Desk) -> None:
    desk.follower()
    theirs = make_desk(open_orders="market")
    link, stored = theirs.follower(), theirs.say("open", "10")
    caller = program(desk)

    foreign = caller.post(f"strategies/{theirs.strategy.uid}/preview", {"signal": OPEN})
    assert told(foreign)[:2] == (404, "not_found")
    for name, row in (
        ("account_id", link.account.uid),
        ("customer_id", link.account.customer.uid),
        ("subscription_id", link.uid),
        ("source_id", theirs.source.uid),
    ):
        assert fields_of(ask(desk, caller, signal=OPEN, **{name: str(row)})) == [name]
    assert fields_of(ask(desk, caller, signal_id=str(stored.pk))) == ["signal_id"]
