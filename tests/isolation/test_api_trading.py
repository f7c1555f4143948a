"""Programs of every role of desk A at the addresses of trading, with desk B's ids everywhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from accounts.enums import ApiScope, Role
from accounts.models import Membership, User
from accounts.roles import ROLE_PERMISSIONS, Ability, scopes_of
from accounts.tenancy import tenant_scope
from tests import factories as make
from tests.api.calls import Program
from tests.isolation.worlds import Desks, rows_of
from trading.models import Decision, Order, Protection

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]
unchanged = pytest.mark.usefixtures("untouched")

ROLES = [role for role in Role if Ability.USE_API in ROLE_PERMISSIONS[role]]
LISTS = ("trades", "decisions", "positions", "balances", "protections")
FIGURES = (
    "status",
    "dashboard/stats",
    *(f"dashboard/charts?type={kind}&period=30d" for kind in ("profit", "volume", "trades")),
)
ABSENT = uuid.uuid4()


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def member(desks: Desks, role: Role) -> User:
    return desks.outsiders[role] if role in desks.outsiders else desks.a.people[role]


def program(desks: Desks, role: Role) -> Program:
    if role == Role.CUSTOMER:
        with tenant_scope(desks.a.tenant):
            desks.a.customers[0].portal_user = member(desks, role)
            desks.a.customers[0].save()
    scopes = [scope.value for scope in scopes_of(role)]
    return Program(make.make_token(member(desks, role), desks.a.tenant, scopes))


def foreign(desks: Desks) -> dict[str, Any]:
    """Desk B's ids, by the names under which these addresses take one."""
    b = desks.b
    return {
        "customer_id": b.customers[0].uid,
        "account_id": b.accounts[0].uid,
        "strategy_id": b.strategies[0].uid,
        "signal_id": b.orders[0].signal_id,
    }


def clean(desks: Desks, response: Any, *statuses: int) -> Any:
    assert response.status_code in statuses, (response.status_code, response.content)
    assert desks.leaks(response.content.decode()) is None, desks.leaks(response.content.decode())
    return response.json()


@unchanged
@pytest.mark.parametrize("role", ROLES)
def test_what_is_read_is_desk_as(desks: Desks, role: Role) -> None:
    caller = program(desks, role)
    for address in LISTS:
        items = clean(desks, caller.get(address, page_size=200), 200)["data"]["items"]
        assert items, address
        shown = {row["account_id"] for row in items}
        assert shown <= {str(account.uid) for account in desks.a.accounts}, address
    for address in FIGURES:
        told = clean(desks, caller.get(address), 200)["data"]
        if address == "dashboard/stats":
            assert told["customers"]["total"] == (1 if role == Role.CUSTOMER else 4)


@unchanged
@pytest.mark.parametrize("role", [Role.OWNER, Role.INTEGRATOR, Role.CUSTOMER])
def test_bs_ids_in_path_and_query_are_as_ids_that_never_were(desks: Desks, role: Role) -> None:
    caller = program(desks, role)
    ids = foreign(desks)
    for model, name in (
        (Order, "trades"),
        (Decision, "decisions"),
        (Protection, "protections"),
    ):
        pk = rows_of(model, desks.b.tenant).values_list("pk", flat=True).first()
        told = [clean(desks, caller.get(f"{name}/{key}"), 404)["error"] for key in (pk, ABSENT)]
        assert told[0] == told[1]
    for name in ("trades", "decisions"):
        for parameter, key in ids.items():
            assert clean(desks, caller.get(name, **{parameter: key}), 200)["data"]["total"] == 0
    for name in ("positions", "balances"):
        for parameter in ("customer_id", "account_id"):
            answer = caller.get(name, **{parameter: ids[parameter]})
            assert clean(desks, answer, 200)["data"]["total"] == 0
    for parameter in ("customer_id", "account_id"):
        faults = [
            clean(
                desks,
                caller.get("dashboard/charts", type="profit", period="7d", **{parameter: key}),
                400,
            )["error"]
            for key in (ids[parameter], ABSENT)
        ]
        assert faults[0] == faults[1]


@unchanged
@pytest.mark.parametrize("role", ROLES)
def test_no_trade_is_made_on_bs_account_and_no_switch_of_b_moves(desks: Desks, role: Role) -> None:
    caller = program(desks, role)
    may_trade = ApiScope.TRADE in scopes_of(role)
    told = []
    for number, account in enumerate((foreign(desks)["account_id"], ABSENT)):
        body = {
            "account_id": str(account),
            "instrument": "BTC-USDT-SWAP",
            "intent": "open",
            "direction": "long",
            "quantity": {"mode": "contracts", "value": "1"},
        }
        answer = caller.call(
            "post", "trades/manual", body, headers={"Idempotency-Key": f"{role}-{number}"}
        )
        told.append(clean(desks, answer, 400 if may_trade else 403)["error"])
    assert told[0] == told[1]
    for model, name in ((Order, "trades"), (Protection, "protections")):
        pk = rows_of(model, desks.b.tenant).values_list("pk", flat=True).first()
        answers = [caller.post(f"{name}/{key}/cancel") for key in (pk, ABSENT)]
        errors = [clean(desks, a, 404 if may_trade else 403)["error"] for a in answers]
        assert errors[0] == errors[1]
    pause = caller.post("trading/pause", {"reason": "Attack", "tenant": str(desks.b.tenant.uid)})
    clean(desks, pause, 400 if may_trade else 403)
    clean(desks, caller.post("trading/pause", {"reason": "Own"}), 200 if may_trade else 403)


def test_b_names_its_signal_as_it_likes(desks: Desks) -> None:
    """A key used in desk A says nothing about the same key, from the same person, in desk B."""
    robot = member(desks, Role.INTEGRATOR)
    caller = program(desks, Role.INTEGRATOR)
    Membership.objects.create(tenant=desks.b.tenant, user=robot, role=Role.INTEGRATOR)
    other = Program(make.make_token(robot, desks.b.tenant))
    found = set()
    for each, account in ((caller, desks.a.accounts[0]), (other, desks.b.accounts[0])):
        body = {"account_id": str(account.uid), "instrument": "BTC-USDT-SWAP",
                "intent": "close", "direction": "long"}  # fmt: skip
        answer = each.call("post", "trades/manual", body, headers={"Idempotency-Key": "same"})
        assert answer.status_code == 202, answer.content
        assert "Idempotent-Replay" not in answer
        found.add(answer.json()["data"]["signal_id"])
    assert len(found) == 2


@unchanged
def test_without_a_token_nothing_is_told(desks: Desks) -> None:
    for address in (*LISTS, *FIGURES, f"trades/{desks.b.orders[0].pk}"):
        assert clean(desks, Program().get(address), 401)["error"]["code"] == "not_authenticated"
    for address in ("trades/manual", "trading/pause"):
        clean(desks, Program().post(address, {"reason": "x"}), 401)
