"""The admin classes: one desk's rows, choices and filters, whatever the address says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts import audit
from accounts.approvals import request_approval
from accounts.enums import Role
from accounts.models import Approval, AuditEntry, Membership, User
from accounts.scope import all_tenants, tenant_scope
from tests.accounts.library.models import Book, Rule
from tests.accounts.people import make_member, make_user, signed_in
from tests.accounts.worlds import World, make_world, titles

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.database_long,
    pytest.mark.usefixtures("plain_pages"),
]

BOOKS = "/admin/library/book/"


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def trader(world: World) -> Client:
    return signed_in(make_member(world.a.tenant, Role.TRADER))


def text(client: Client, url: str, status: int = 200) -> str:
    response = client.get(url)
    assert response.status_code == status, response
    return response.content.decode()


@pytest.mark.parametrize(
    "url",
    [
        BOOKS,
        f"{BOOKS}?q=b1",
        f"{BOOKS}?o=1",
        f"{BOOKS}add/",
        "/admin/library/shelf/",
        "/admin/library/rule/",
        "/admin/library/loan/",
    ],
)
def test_pages_never_name_foreign_rows(world: World, trader: Client, url: str) -> None:
    page = text(trader, url)

    for foreign in ("b1", "b2", "b-shelf", "b-rule", "Desk b"):
        assert f">{foreign}" not in page
    assert "b-shelf" not in page


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_absent_and_foreign_rows_are_answered_alike(
    world: World, trader: Client, page: str
) -> None:
    foreign = trader.get(f"{BOOKS}{world.b.books[0].pk}/{page}/")
    absent = trader.get(f"{BOOKS}999999/{page}/")

    assert foreign.status_code == absent.status_code
    assert foreign.get("Location") == absent.get("Location")
    assert foreign.status_code in {302, 403, 404}


@pytest.mark.parametrize(
    "query",
    [
        "tenant=1",
        "tenant__id=1",
        "tenant_id=1",
        "tenant__slug__startswith=d",
        "shelf__tenant__name=x",
        "secret=t1",
        "secret__isnull=1",
        "title__startswith=a",
        "uid__exact=00000000-0000-0000-0000-000000000000",
        "shelf__name__startswith=b",
        "nonsense=1",
    ],
)
def test_the_address_cannot_probe_other_fields(trader: Client, query: str) -> None:
    response = trader.get(f"{BOOKS}?{query}")

    assert response.status_code in {302, 400}
    if response.status_code == 302:
        assert response["Location"].endswith("?e=1")


def test_a_filter_offers_and_finds_own_rows_only(world: World, trader: Client) -> None:
    assert "a1" in text(trader, f"{BOOKS}?shelf__id__exact={world.a.shelf.pk}")
    foreign = text(trader, f"{BOOKS}?shelf__id__exact={world.b.shelf.pk}")

    assert "b1" not in foreign
    assert "b-shelf" not in foreign


def test_autocomplete_offers_own_rows_only(world: World, trader: Client) -> None:
    found = json.loads(
        text(
            trader,
            "/admin/autocomplete/?app_label=library&model_name=book&field_name=shelf&term=shelf",
        )
    )

    assert [item["text"] for item in found["results"]] == ["a-shelf"]


def test_a_row_is_added_to_the_own_desk(world: World, trader: Client) -> None:
    data = {"title": "new", "shelf": world.a.shelf.pk, "required_secret": "CANARY"}

    assert trader.post(f"{BOOKS}add/", data).status_code == 302

    with tenant_scope(world.a.tenant):
        book = Book.objects.get(title="new")
        [entry] = AuditEntry.objects.filter(action="book.added")
    assert book.required_secret.reveal() == "CANARY"
    assert entry.actor.username == "desk-a-trader"
    assert "CANARY" not in str(entry.after)
    assert "CANARY" not in text(trader, f"{BOOKS}{book.pk}/change/")


def test_a_row_cannot_be_put_under_a_foreign_parent(world: World, trader: Client) -> None:
    data = {"title": "new", "shelf": world.b.shelf.pk, "required_secret": "x"}

    page = trader.post(f"{BOOKS}add/", data)

    assert page.status_code == 200
    assert "shelf" in page.context["adminform"].form.errors
    assert titles() == ["a1", "a2", "b1", "b2"]


def test_a_title_taken_in_the_desk_is_a_field_error(world: World, trader: Client) -> None:
    data = {"title": "a1", "shelf": world.a.shelf.pk, "required_secret": "x"}

    page = trader.post(f"{BOOKS}add/", data)

    assert page.status_code == 200
    assert page.context["adminform"].form.non_field_errors()
    data["title"] = "b1"
    assert trader.post(f"{BOOKS}add/", data).status_code == 302


def test_a_blank_secret_is_kept_by_the_page(world: World, trader: Client) -> None:
    book = world.a.books[0]
    with tenant_scope(world.a.tenant):
        book.required_secret = "CANARY"
        book.save()
    data = {"title": "renamed", "shelf": world.a.shelf.pk, "secret": "", "required_secret": ""}

    assert trader.post(f"{BOOKS}{book.pk}/change/", data).status_code == 302

    with tenant_scope(world.a.tenant):
        stored = Book.objects.get(pk=book.pk)
    assert (stored.title, stored.required_secret.reveal()) == ("renamed", "CANARY")


def test_an_action_reaches_own_rows_only(world: World, trader: Client) -> None:
    chosen = [world.a.books[0].pk, world.b.books[0].pk]

    trader.post(BOOKS, {"action": "shout", "_selected_action": chosen})

    assert titles() == ["A1", "a2", "b1", "b2"]


def test_an_action_needs_its_ability(world: World, trader: Client) -> None:
    page = trader.get(BOOKS)
    trader.post(BOOKS, {"action": "halt", "_selected_action": [world.a.books[0].pk]})

    offered = [name for name, _ in page.context["action_form"].fields["action"].choices]
    assert "shout" in offered
    assert "halt" not in offered
    assert "delete_selected" not in offered


def test_nothing_is_deleted(world: World, trader: Client) -> None:
    url = f"{BOOKS}{world.a.books[1].pk}/delete/"

    assert trader.post(url, {"post": "yes"}).status_code == 403
    trader.post(
        BOOKS,
        {"action": "delete_selected", "_selected_action": [world.a.books[1].pk], "post": "yes"},
    )

    assert titles() == ["a1", "a2", "b1", "b2"]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR, Role.RISK])
def test_who_may_only_look_changes_nothing(world: World, role: Role) -> None:
    client = signed_in(make_member(world.a.tenant, role))
    url = f"{BOOKS}{world.a.books[0].pk}/change/"

    assert client.get(url).status_code == 200
    assert client.post(url, {"title": "x", "shelf": world.a.shelf.pk}).status_code == 403
    assert client.get(f"{BOOKS}add/").status_code == 403
    assert titles() == ["a1", "a2", "b1", "b2"]


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.INTEGRATOR])
def test_customers_see_no_page(world: World, role: Role) -> None:
    client = signed_in(make_member(world.a.tenant, role))

    assert client.get(BOOKS).status_code in {302, 403}


def test_system_rows_are_shown_and_not_changed(world: World, trader: Client) -> None:
    with all_tenants("test"):
        system = Rule.objects.get(name="system-rule")

    assert "system-rule" in text(trader, "/admin/library/rule/")
    answer = trader.post(f"/admin/library/rule/{system.pk}/change/", {"name": "x"})

    assert answer.status_code == 403


def test_a_superuser_outside_every_desk_sees_global_rows_only(world: World) -> None:
    client = signed_in(make_user("root", is_superuser=True, is_staff=True))

    assert "/admin/accounts/tenant/" in text(client, "/admin/accounts/")
    assert client.get("/admin/library/").status_code == 404
    assert client.get(BOOKS).status_code == 403
    assert client.get("/admin/accounts/auditentry/").status_code == 403
    assert "Desk b" in text(client, "/admin/accounts/tenant/")


def test_a_superuser_inside_a_desk_sees_that_one(world: World) -> None:
    client = signed_in(
        make_user("root", is_superuser=True, is_staff=True), tenant_id=world.b.tenant.pk
    )

    page = text(client, BOOKS)

    assert "b1" in page
    assert ">a1" not in page


def test_the_history_of_a_row_is_its_diary(world: World) -> None:
    client = signed_in(make_member(world.a.tenant, Role.OWNER))
    with tenant_scope(world.a.tenant):
        audit.record(action="book.seen", obj=world.a.books[0])
        audit.record(action="book.other", obj=world.a.books[1])

    answer = client.get(f"{BOOKS}{world.a.books[0].pk}/history/", follow=True)

    page = answer.content.decode()
    assert "book.seen" in page
    assert "book.other" not in page


def test_the_diary_is_read_only_and_of_one_desk(world: World) -> None:
    client = signed_in(make_member(world.a.tenant, Role.AUDITOR))
    with tenant_scope(world.a.tenant):
        own = audit.record(action="own.entry", obj=world.a.books[0])
    foreign = audit.record(action="foreign.entry", obj=world.b.books[0])
    system = audit.record(action="system.entry", tenant=None)

    page = text(client, "/admin/accounts/auditentry/")

    assert "own.entry" in page
    assert "foreign.entry" not in page
    assert "system.entry" not in page
    for entry, status in ((own, 200), (foreign, 302), (system, 302)):
        url = f"/admin/accounts/auditentry/{entry.pk}/change/"
        assert client.get(url).status_code == status
        assert client.post(url, {"action": "x"}).status_code in {302, 403}
    assert client.get("/admin/accounts/auditentry/add/").status_code == 403


def test_people_pages_show_the_desk_only(world: World) -> None:
    owner = make_member(world.a.tenant, Role.OWNER)
    foreign = make_member(world.b.tenant, Role.OWNER, "bea")
    client = signed_in(owner)

    assert "bea" not in text(client, "/admin/accounts/user/")
    assert "bea" not in text(client, "/admin/accounts/membership/")
    assert client.get("/admin/accounts/membership/add/").status_code == 403
    assert client.get(f"/admin/accounts/user/{foreign.pk}/change/").status_code == 302
    for path in ("password", "change"):
        answer = client.post(f"/admin/accounts/user/{owner.pk}/{path}/", {"username": "x"})
        assert answer.status_code in {302, 403}
    assert client.get("/admin/accounts/user/?password__startswith=m").status_code in {302, 400}
    assert User.objects.get(pk=owner.pk).username == owner.username


def test_a_manager_cannot_grant_in_another_desk(world: World) -> None:
    client = signed_in(make_member(world.a.tenant, Role.OWNER))
    colleague = make_member(world.a.tenant, Role.TRADER)

    client.post(
        "/admin/accounts/membership/add/",
        {"user": colleague.pk, "tenant": world.b.tenant.pk, "role": "owner", "is_active": "on"},
    )

    assert not Membership.objects.filter(tenant=world.b.tenant).exists()


def test_a_manager_changes_roles_but_not_the_own(world: World) -> None:
    owner = make_member(world.a.tenant, Role.OWNER)
    trader = make_member(world.a.tenant, Role.TRADER)
    client = signed_in(owner)
    own, other = owner.memberships.get(), trader.memberships.get()

    for membership in (own, other):
        client.post(
            f"/admin/accounts/membership/{membership.pk}/change/",
            {"role": "risk", "is_active": "on"},
        )

    assert {m.user: m.role for m in Membership.objects.all()} == {owner: "owner", trader: "risk"}


def decide(client: Client, action: str, approval: Approval) -> Any:
    return client.post(
        "/admin/accounts/approval/", {"action": action, "_selected_action": [approval.pk]}
    )


def test_approving_needs_a_second_person_with_a_fresh_password(world: World) -> None:
    asking = make_member(world.a.tenant, Role.OWNER)
    client = signed_in(make_member(world.a.tenant, Role.RISK))
    with tenant_scope(world.a.tenant):
        approval = request_approval(action="limit.raise", requested_by=asking)

    def status() -> str:
        with tenant_scope(world.a.tenant):
            return str(Approval.objects.get().status)

    assert "/accounts/step-up/" in decide(client, "approve_selected", approval)["Location"]
    assert status() == "pending"
    own = signed_in(asking)
    own.post("/accounts/step-up/", {"password": "correct horse battery"})
    decide(own, "approve_selected", approval)
    assert status() == "pending"
    client.post("/accounts/step-up/", {"password": "correct horse battery"})
    decide(client, "approve_selected", approval)
    assert status() == "approved"


def test_changelists_cost_the_same_for_many_rows(
    world: World, trader: Client, django_assert_max_num_queries: Any
) -> None:
    with tenant_scope(world.a.tenant):
        Book.objects.bulk_create(
            [Book(shelf=world.a.shelf, title=f"n{number}") for number in range(50)]
        )

    trader.get(BOOKS)  # the first page of a session notes when it was opened

    with django_assert_max_num_queries(9):
        assert trader.get(BOOKS).status_code == 200
