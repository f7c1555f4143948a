"""What programs change: through the services of the back office, named in the diary."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.enums import Role
from accounts.models import AuditEntry
from accounts.tenancy import tenant_scope
from customers.enums import AccountStatus
from customers.models import ExchangeAccount
from strategies.enums import StrategyStatus, SubscriptionStatus
from strategies.models import Strategy, Subscription
from tests import factories as make
from tests.api.calls import Program, Programs, fields_of, told

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]


def diary(programs: Programs, action: str) -> list[AuditEntry]:
    with tenant_scope(programs.world.tenant):
        return list(AuditEntry.objects.filter(action=action).select_related("actor"))


def pausable(programs: Programs) -> list[tuple[str, Any]]:
    world = programs.world
    return [
        (f"accounts/{world.accounts[0].uid}", "account"),
        (f"strategies/{world.strategies[0].uid}", "strategy"),
        (f"subscriptions/{world.subscriptions[1].uid}", "subscription"),
    ]


@pytest.mark.parametrize("place", range(3))
def test_pause_and_resume(programs: Programs, place: int) -> None:
    address, kind = pausable(programs)[place]

    paused = programs.integrator.post(f"{address}/pause", {"reason": "quarter's end"})

    assert paused.status_code == 200
    assert paused.json()["data"]["status"] == "paused"
    assert programs.reader.data(address)["status"] == "paused"
    (entry,) = diary(programs, f"{kind}.paused")
    assert entry.reason == "quarter's end"
    assert entry.actor == programs.people[Role.INTEGRATOR]
    assert entry.actor_label.startswith("robot (API: Program ")

    again = programs.integrator.post(f"{address}/pause")
    assert again.status_code == 200
    assert len(diary(programs, f"{kind}.paused")) == 1

    resumed = programs.integrator.post(f"{address}/resume")
    assert resumed.json()["data"]["status"] == "active"
    assert len(diary(programs, f"{kind}.active")) == 1


def test_a_body_is_not_needed(programs: Programs) -> None:
    address = f"accounts/{programs.world.accounts[0].uid}/pause"

    client = Client(headers={"Authorization": f"Bearer {programs.integrator.token}"})

    assert client.generic("POST", f"/api/v1/{address}").status_code == 200


def test_a_step_that_is_not_allowed_names_the_status(programs: Programs) -> None:
    account, strategy, link = (
        programs.world.accounts[0], programs.world.strategies[0], programs.world.subscriptions[0],
    )  # fmt: skip
    with tenant_scope(programs.world.tenant):
        ExchangeAccount.objects.filter(pk=account.pk).update(status=AccountStatus.ARCHIVED)
        Strategy.objects.filter(pk=strategy.pk).update(status=StrategyStatus.ARCHIVED)
        Subscription.objects.filter(pk=link.pk).update(status=SubscriptionStatus.STOPPED)

    for address, status in (
        (f"accounts/{account.uid}/resume", "Archived cannot become Active."),
        (f"strategies/{strategy.uid}/resume", "Archived cannot become Active."),
        (f"subscriptions/{link.uid}/pause", "Stopped cannot become Paused."),
    ):
        response = programs.integrator.post(address)

        assert told(response) == (400, "invalid", [("status", status)])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "x" * 301}, "reason"),
        ({"reason": 7}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": "a\0b"}, "reason"),
        ({"reason": "fine", "status": "archived"}, "status"),
        ({"tenant": 1}, "tenant"),
        ({"id": 1, "paused_reason": "x"}, "id"),
    ],
)
@pytest.mark.parametrize("place", range(3))
def test_what_a_body_may_not_say(
    programs: Programs, place: int, body: dict[str, Any], field: str
) -> None:
    address, kind = pausable(programs)[place]

    response = programs.integrator.post(f"{address}/pause", body)

    assert field in fields_of(response)
    assert diary(programs, f"{kind}.paused") == []


def test_staff_may_not_by_token_what_they_may_not_by_hand(programs: Programs) -> None:
    """A trader binds and pauses strategies, but has no hand on accounts and their keys."""
    trader = Program(make.make_token(programs.people[Role.TRADER], programs.world.tenant))
    account, strategy = programs.world.accounts[0], programs.world.strategies[0]

    refused = trader.post(f"accounts/{account.uid}/pause")
    taken = trader.post(f"strategies/{strategy.uid}/pause")

    assert told(refused) == (403, "missing_scope", [])
    assert taken.status_code == 200
    assert programs.reader.data(f"accounts/{account.uid}")["status"] == "active"


# Binding.


def unbound(programs: Programs) -> tuple[Any, Any]:
    """A strategy that nobody follows, and a customer with two open accounts and an archived one."""
    tenant = programs.world.tenant
    strategy = make.make_strategy(programs.world.sources[0])
    customer = make.make_customer(tenant)
    for label, status in (("a", "active"), ("b", "paused"), ("old", "archived")):
        make.make_account(customer, label=label, status=status)
    return strategy, customer


def test_a_customer_is_bound_with_all_open_accounts(programs: Programs) -> None:
    strategy, customer = unbound(programs)
    terms = {"follow_ratio": "0.25", "max_leverage": "3"}

    response = programs.integrator.post(
        f"strategies/{strategy.uid}/customers", {"customer_id": str(customer.uid), **terms}
    )

    assert response.status_code == 201, response.content
    links = response.json()["data"]["subscriptions"]
    assert [link["account_label"] for link in links] == ["a", "b"]
    assert {link["customer_id"] for link in links} == {str(customer.uid)}
    assert {link["status"] for link in links} == {"active"}
    assert {(link["follow_ratio"], link["max_leverage"]) for link in links} == {("0.25", "3")}
    assert {link["fixed_notional"] for link in links} == {None}
    entries = diary(programs, "subscription.active")
    assert {entry.actor for entry in entries} == {programs.people[Role.INTEGRATOR]}
    assert len(entries) == 2
    assert programs.reader.data("subscriptions", strategy_id=str(strategy.uid))["total"] == 2


def test_one_account_is_bound(programs: Programs) -> None:
    strategy, customer = unbound(programs)
    with tenant_scope(programs.world.tenant):
        account = customer.accounts.get(label="b")

    response = programs.integrator.post(
        f"strategies/{strategy.uid}/customers", {"account_id": str(account.uid)}
    )

    assert response.status_code == 201
    (link,) = response.json()["data"]["subscriptions"]
    assert link["account_id"] == str(account.uid)
    assert link["follow_ratio"] is None


def test_if_one_account_is_refused_none_is_bound(programs: Programs) -> None:
    strategy, customer = unbound(programs)
    with tenant_scope(programs.world.tenant):
        make.subscribe(strategy, customer.accounts.get(label="b"))

    response = programs.integrator.post(
        f"strategies/{strategy.uid}/customers", {"customer_id": str(customer.uid)}
    )

    fault = ("customer_id", "This account follows the strategy already.")
    assert told(response) == (400, "invalid", [fault])
    with tenant_scope(programs.world.tenant):
        assert Subscription.objects.filter(strategy=strategy).count() == 1
    assert diary(programs, "subscription.active") == []


def test_bindings_that_are_refused(programs: Programs) -> None:
    strategy, customer = unbound(programs)
    account, both = programs.world.accounts[0], ["customer_id", "account_id"]
    nobody = "0b6f2c1e-5a0e-4d5e-9c3a-3b1a6f0f3d11"
    foreign_customer, foreign = programs.stranger.customers[0], programs.stranger.accounts[0]
    own = {"account_id": str(account.uid)}
    refused: list[tuple[dict[str, Any], list[str]]] = [
        ({}, both),
        ({"customer_id": str(customer.uid), **own}, both),
        ({"customer_id": nobody}, ["customer_id"]),
        ({"customer_id": str(foreign_customer.uid)}, ["customer_id"]),
        ({"customer_id": None}, ["customer_id"]),
        ({"customer_id": 7}, ["customer_id"]),
        ({"customer_id": {"uid": str(customer.uid)}}, ["customer_id"]),
        ({"account_id": nobody}, ["account_id"]),
        ({"account_id": str(foreign.uid)}, ["account_id"]),
        ({"account_id": str(account.pk)}, ["account_id"]),
        ({**own, "follow_ratio": "0"}, ["follow_ratio"]),
        ({**own, "follow_ratio": "100.5"}, ["follow_ratio"]),
        ({**own, "follow_ratio": "1e1"}, ["follow_ratio"]),
        ({**own, "follow_ratio": "١"}, ["follow_ratio"]),
        ({**own, "follow_ratio": " 1"}, ["follow_ratio"]),
        ({**own, "follow_ratio": "NaN"}, ["follow_ratio"]),
        ({**own, "follow_ratio": "0." + "1" * 19}, ["follow_ratio"]),
        ({**own, "follow_ratio": True}, ["follow_ratio"]),
        ({**own, "max_leverage": "0.5"}, ["max_leverage"]),
        ({**own, "fixed_notional": "-1"}, ["fixed_notional"]),
        ({**own, "status": "active"}, ["status"]),
        ({**own, "tenant": programs.stranger.tenant.pk}, ["tenant"]),
        ({**own, "strategy_id": str(strategy.uid)}, ["strategy_id"]),
    ]
    for body, fields in refused:
        response = programs.integrator.post(f"strategies/{strategy.uid}/customers", body)

        assert fields_of(response) == fields, body
    absent, theirs = (
        told(programs.integrator.post(f"strategies/{strategy.uid}/customers", {"account_id": uid}))
        for uid in (nobody, str(foreign.uid))
    )
    assert absent == theirs
    with tenant_scope(programs.world.tenant):
        assert not Subscription.objects.filter(strategy=strategy).exists()


def test_archived_rows_are_not_bound(programs: Programs) -> None:
    strategy, customer = unbound(programs)
    with tenant_scope(programs.world.tenant):
        old = customer.accounts.get(label="old")
        put_away = make.make_customer(programs.world.tenant, status="archived")
        bare = make.make_customer(programs.world.tenant)
    address = f"strategies/{strategy.uid}/customers"

    for body, reason in (
        ({"account_id": str(old.uid)}, "The account is archived."),
        ({"customer_id": str(put_away.uid)}, "The customer is archived."),
        ({"customer_id": str(bare.uid)}, "The customer has no open account."),
    ):
        response = programs.integrator.post(address, body)
        assert told(response) == (400, "invalid", [(next(iter(body)), reason)])

    with tenant_scope(programs.world.tenant):
        Strategy.objects.filter(pk=strategy.pk).update(status=StrategyStatus.ARCHIVED)
    response = programs.integrator.post(address, {"customer_id": str(customer.uid)})
    assert told(response)[2] == [("strategy", "The strategy is archived.")]


@pytest.mark.parametrize("close", ["copy_close", "market_close", "manual_close"])
def test_stopping_says_how_it_ends(programs: Programs, close: str) -> None:
    address = f"subscriptions/{programs.world.subscriptions[1].uid}"

    answer = programs.integrator.post(f"{address}/stop", {"close": close, "reason": "over"})

    assert answer.status_code == 200
    data = answer.json()["data"]
    assert data["ending"] == close
    assert data["status"] == "stopped", "it holds nothing"
    refused = programs.integrator.post(f"{address}/stop", {"close": "at once"})
    assert fields_of(refused) == ["close"]


def test_close_only_is_set_and_resumed(programs: Programs) -> None:
    address = f"subscriptions/{programs.world.subscriptions[1].uid}"

    told_ = programs.integrator.post(f"{address}/close-only", {"reason": "quiet"})

    assert told_.json()["data"]["status"] == "close_only"
    assert programs.integrator.post(f"{address}/resume").json()["data"]["status"] == "active"
    assert len(diary(programs, "subscription.close_only")) == 1
