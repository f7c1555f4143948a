"""Lists: what is told, page by page, narrowed, in the desk's days, in constant queries."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import tenant_scope
from customers.models import Customer
from signals.models import Signal
from tests import factories as make
from tests.api.calls import Program, Programs, fields_of, told

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]

LISTS = ["customers", "accounts", "sources", "signals", "strategies", "subscriptions"]


def test_a_customer_is_told_in_these_words(programs: Programs) -> None:
    customer = programs.world.customers[0]
    with tenant_scope(programs.world.tenant):
        customer.max_leverage = Decimal("2.500")
        customer.notes = "for staff"
        customer.save()

    data = programs.reader.data(f"customers/{customer.uid}")

    assert list(data) == [
        "id", "name", "email", "phone", "status", "initial_balance", "max_leverage", "created_at",
        "updated_at",
    ]  # fmt: skip
    assert data["max_leverage"] == "2.5"
    assert data["initial_balance"] is None
    assert data["created_at"].endswith("Z")


def test_nothing_of_a_key_is_told_but_its_end(programs: Programs) -> None:
    account = programs.world.accounts[0]

    data = programs.reader.data(f"accounts/{account.uid}")

    assert data["key_last4"] == account.key_last4
    assert data["key_status"] == "verified"
    assert data["initial_balance"] == f"{account.initial_balance:f}"
    text = str(data)
    for secret in ("a-secret", "a-passphrase", str(account.key_fingerprint), str(account.pk)):
        assert f"'{secret}'" not in text
    assert not [name for name in data if "fingerprint" in name or "secret" in name]


@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_told_page_by_page(programs: Programs, name: str) -> None:
    whole = programs.integrator.data(name, page_size=200)
    assert whole["total"] == len(whole["items"]) >= 3
    assert (whole["page"], whole["page_size"], whole["pages"]) == (1, 200, 1)

    pages = [programs.integrator.data(name, page=page, page_size=2) for page in (1, 2)]

    assert pages[0]["pages"] == -(-whole["total"] // 2)
    assert [row for page in pages for row in page["items"]] == whole["items"][:4]


@pytest.mark.parametrize("name", LISTS)
def test_every_row_is_found_by_its_id(programs: Programs, name: str) -> None:
    row = programs.integrator.data(name)["items"][0]

    one = programs.integrator.data(f"{name}/{row['id']}")

    assert {field: one[field] for field in row} == row


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": "0"}, "page"),
        ({"page": "-1"}, "page"),
        ({"page": "2.0"}, "page"),
        ({"page": "last"}, "page"),
        ({"page": "２"}, "page"),
        ({"page": ""}, "page"),
        ({"page": "99"}, "page"),
        ({"page": "9" * 40}, "page"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "201"}, "page_size"),
        ({"page_size": "x"}, "page_size"),
        ({"status": "gone"}, "status"),
        ({"start_date": "yesterday"}, "start_date"),
        ({"start_date": "2026-02-30"}, "start_date"),
        ({"start_date": " "}, "start_date"),
        ({"end_date": "\x1e"}, "end_date"),
        ({"end_date": "2026-01-31T08:00:00"}, "end_date"),
        ({"end_date": "0001-01-01"}, "end_date"),
        ({"end_date": "9999-12-31T23:59:59-23:00"}, "end_date"),
        ({"customer_id": "7"}, "customer_id"),
        ({"ordering": "notes"}, "ordering"),
        ({"search": "x" * 101}, "search"),
        ({"search": "a\0b"}, "search"),
        ({"limit": "5"}, "limit"),
        ({"tenant": "2"}, "tenant"),
        ({"name__startswith": "A"}, "name__startswith"),
        ({"format": "xml"}, "format"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(
    programs: Programs, query: dict[str, str], field: str
) -> None:
    response = programs.reader.get("customers", **query)

    assert fields_of(response) == [field]


def test_a_parameter_given_twice_is_refused(programs: Programs) -> None:
    assert fields_of(programs.reader.get("customers?page=1&page=2")) == ["page"]


def test_single_rows_take_no_parameters(programs: Programs) -> None:
    uid = programs.world.customers[0].uid

    response = programs.reader.get(f"customers/{uid}", page="1")

    assert told(response) == (400, "invalid", [("page", "This parameter is not known.")])


def names(programs: Programs, **query: Any) -> list[str]:
    return [row["name"] for row in programs.reader.data("customers", **query)["items"]]


def test_search_status_and_ordering(programs: Programs) -> None:
    rows = sorted(programs.world.customers, key=lambda customer: customer.name)
    with tenant_scope(programs.world.tenant):
        Customer.objects.filter(pk=rows[0].pk).update(status="inactive")

    assert names(programs) == [row.name for row in rows]
    assert names(programs, ordering="-name") == [row.name for row in reversed(rows)]
    assert names(programs, search=rows[1].email.upper()) == [rows[1].name]
    assert names(programs, status="inactive") == [rows[0].name]
    assert names(programs, customer_id=str(rows[2].uid)) == [rows[2].name]
    assert names(programs, customer_id=str(programs.stranger.customers[0].uid)) == []


def test_a_plain_day_is_the_desks_day(programs: Programs) -> None:
    tenant = programs.world.tenant
    type(tenant).objects.filter(pk=tenant.pk).update(timezone="Asia/Shanghai", day_starts_at=8)
    first, second = programs.world.signals[:2]
    moments = datetime(2026, 3, 1, 0, 0, tzinfo=UTC), datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    with tenant_scope(tenant):
        for signal, at in zip((first, second), moments, strict=True):
            Signal.objects.filter(pk=signal.pk).update(received_at=at)

    def found(**query: str) -> set[str]:
        items = programs.reader.data("signals", page_size=200, **query)["items"]
        return {row["id"] for row in items} & {str(first.pk), str(second.pk)}

    both = {str(first.pk), str(second.pk)}
    assert found(start_date="2026-03-01", end_date="2026-03-01") == both
    assert found(end_date="2026-02-28") == set()
    assert found(start_date="2026-03-02") == set()
    assert found(start_date="2026-03-01T00:00:00Z", end_date="2026-03-01T00:00:00Z") == {
        str(first.pk)
    }
    assert found(start_date="2026-03-01T08:00:01+08:00") == {str(second.pk)}


def test_signals_are_narrowed(programs: Programs) -> None:
    source = programs.world.sources[0]

    def all_of(**query: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = programs.reader.data("signals", page_size=200, **query)[
            "items"
        ]
        return items

    assert {s["instrument"] for s in all_of(symbol="ETH-USDT-SWAP")} == {"ETH-USDT-SWAP"}
    assert {s["source_id"] for s in all_of(source_id=str(source.uid))} == {str(source.uid)}
    refused = all_of(status="refused")
    assert [(s["refused_field"], s["reason"]) for s in refused] == [("quantity.value", "INVALID")]
    assert all_of(symbol="eth-usdt-swap") == all_of(symbol="ETH-USDT-SWAP")
    assert all_of(symbol="ETH-USDT") == []
    customer = str(programs.world.customers[0].uid)
    ids = [s["id"] for s in all_of(customer_id=customer)]
    assert len(ids) == len(set(ids)) > 0


def test_a_customer_sees_only_its_own_rows(programs: Programs) -> None:
    me, account = programs.world.customers[0], programs.world.accounts[0]
    program = programs.customer

    assert [row["id"] for row in program.data("customers")["items"]] == [str(me.uid)]
    assert [row["id"] for row in program.data("accounts")["items"]] == [str(account.uid)]
    links = program.data("subscriptions")["items"]
    assert {row["account_id"] for row in links} == {str(account.uid)}
    strategies = program.data("strategies")["items"]
    assert {row["id"] for row in strategies} == {row["strategy_id"] for row in links}
    sources = program.data("sources")["items"]
    assert {row["id"] for row in sources} == {s for row in strategies for s in row["source_ids"]}
    with tenant_scope(programs.world.tenant):
        mine = {d.signal_id for d in programs.world.decisions if d.account_id == account.pk}
    signals = program.data("signals", page_size=200)["items"]
    assert {row["id"] for row in signals} == {str(pk) for pk in mine}
    for other in (programs.world.customers[1], programs.stranger.customers[0]):
        assert program.get(f"customers/{other.uid}").status_code == 404


def test_a_signal_is_told_with_its_decisions(programs: Programs) -> None:
    signal = programs.world.signals[0]
    mine = [d for d in programs.world.decisions if d.signal_id == signal.pk]

    told_ = programs.reader.data(f"signals/{signal.pk}")
    page = programs.reader.data(f"signals/{signal.pk}/decisions", page_size=2)

    assert told_["decisions_total"] == page["total"] == len(mine) == 3
    assert {d["id"] for d in told_["decisions"]} == {str(d.pk) for d in mine}
    assert page["items"] == told_["decisions"][:2]
    assert all(d["explanation"] for d in told_["decisions"])
    skipped = programs.reader.data(f"signals/{signal.pk}/decisions", status="skipped")
    assert {d["outcome"] for d in skipped["items"]} <= {"skipped"}
    other = programs.reader.get(f"signals/{signal.pk}/decisions", signal_id=str(signal.pk))
    assert fields_of(other) == ["signal_id"]
    foreign = programs.stranger.signals[0].pk
    assert programs.reader.get(f"signals/{foreign}/decisions").status_code == 404


def test_a_customer_reads_its_own_decision_only(programs: Programs) -> None:
    account = programs.world.accounts[0]
    mine = next(d for d in programs.world.decisions if d.account_id == account.pk)

    told_ = programs.customer.data(f"signals/{mine.signal_id}")

    assert [d["id"] for d in told_["decisions"]] == [str(mine.pk)]
    assert told_["decisions_total"] == 1


@pytest.mark.parametrize("name", LISTS)
def test_queries_do_not_grow_with_the_rows(programs: Programs, name: str) -> None:
    def queries(size: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert len(programs.integrator.data(name, page_size=size)["items"]) == size
        return len(caught)

    queries(1)

    assert queries(3) == queries(1) <= 6


def test_the_desk_of_a_program_is_its_tokens(programs: Programs) -> None:
    user = programs.people["integrator"]  # type: ignore[index]
    other = make.make_tenant("Third desk")
    from accounts.models import Membership

    Membership.objects.create(user=user, tenant=other, role="integrator")
    there = Program(make.make_token(user, other))

    assert there.data("customers")["items"] == []
    assert len(programs.integrator.data("customers")["items"]) == 3
