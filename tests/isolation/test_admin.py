"""Desk A's people in the back office, with desk B's ids in every place that takes one."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.urls import reverse

from accounts.admin_base import RecordAdmin
from accounts.enums import Role
from tests.isolation import attacks
from tests.isolation.worlds import OUTSIDERS, STAFF, Desks, rows_of, signed_in, staff_client

pytestmark = pytest.mark.django_db
# For every test that posts: its end compares all of desk B with what it was.
changes_nothing = pytest.mark.usefixtures("untouched")
MODELS = [model for model, _ in attacks.admins()]
# Superusers run the house: they see its desks and people, but no desk's rows without entering.
OF_THE_HOUSE = {"accounts.Tenant", "accounts.User", "accounts.Membership"}
BUSY = {"signals.Signal", "trading.Decision", "trading.Order", "trading.Position"}
# Every role looks in `make test-long`; those that may do most and least, always.
OFTEN = [
    role
    if role in {Role.OWNER, Role.SUPPORT, Role.AUDITOR}
    else pytest.param(role, marks=pytest.mark.long)
    for role in STAFF
]
# Records that nobody writes share one admin class: of their lists the busiest are probed always,
# the others in `make test-long`.
PROBED = [
    model
    if not isinstance(model_admin, RecordAdmin) or model._meta.label in BUSY
    else pytest.param(model, marks=pytest.mark.long)
    for model, model_admin in attacks.admins()
]
ADDING = ["accounts.ApiToken", "customers.ExchangeAccount",
          "strategies.Subscription", "trading.Limit", "trading.LossLimit"]  # fmt: skip
ACTIONS = [
    (model, action)
    for model, model_admin in attacks.admins()
    for action in model_admin.actions or ()
]


@pytest.mark.parametrize("role", OFTEN)
@pytest.mark.usefixtures("plain_pages")
def test_no_list_shows_a_foreign_row(desks: Desks, role: Role) -> None:
    client = staff_client(desks, role)

    for model in MODELS:
        attacks.list_shows_own(client, desks, model)


def test_a_superuser_sees_only_the_desk_they_entered(desks: Desks) -> None:
    client = staff_client(desks, "superuser")

    for model in MODELS:
        if model._meta.label not in OF_THE_HOUSE:
            assert attacks.list_shows_own(client, desks, model) == 200


@changes_nothing
@pytest.mark.usefixtures("plain_pages")
def test_a_superuser_in_no_desk_sees_no_desk(desks: Desks) -> None:
    client = staff_client(desks, "nowhere")

    for model in MODELS:
        if model._meta.label in OF_THE_HOUSE:
            continue
        attacks.list_shows_own(client, desks, model)
        if hasattr(model, "tenant_id"):
            assert client.get(attacks.page(model, "changelist")).status_code == 403
            attacks.objects_are_absent(client, desks, model)


@pytest.mark.parametrize("model", PROBED)
@pytest.mark.usefixtures("plain_pages")
def test_no_address_finds_a_foreign_row(desks: Desks, model: type[Model]) -> None:
    attacks.addresses_find_nothing(staff_client(desks, Role.OWNER), desks, model)


@pytest.mark.parametrize("model", [m for m in MODELS if hasattr(m, "tenant_id")])
def test_the_desk_cannot_be_probed(desks: Desks, model: type[Model]) -> None:
    attacks.hidden_fields_cannot_be_probed(staff_client(desks, Role.OWNER), desks, model)


@changes_nothing
@pytest.mark.usefixtures("plain_pages")
@pytest.mark.parametrize("role", [*OFTEN, "superuser"])
def test_a_foreign_object_answers_as_one_that_never_was(desks: Desks, role: str) -> None:
    client = staff_client(desks, role)
    methods = ("get", "post") if role in {Role.OWNER, Role.SUPPORT} else ("get",)

    for model in MODELS:
        seen = role == "superuser" and model._meta.label in OF_THE_HOUSE
        if not seen and attacks.foreign_pk(desks, model) is not None:
            attacks.objects_are_absent(client, desks, model, methods)


@pytest.mark.parametrize("model", MODELS)
def test_forms_offer_no_foreign_row(desks: Desks, model: type[Model]) -> None:
    attacks.options_are_own(staff_client(desks, Role.OWNER), desks, model)


@pytest.mark.parametrize("model", MODELS)
def test_suggestions_hold_no_foreign_row(desks: Desks, model: type[Model]) -> None:
    attacks.suggestions_are_own(staff_client(desks, Role.OWNER), desks, model)


@changes_nothing
@pytest.mark.parametrize("label", ADDING)
def test_forms_take_no_foreign_row(desks: Desks, label: str) -> None:
    model = next(m for m in MODELS if m._meta.label == label)

    attacks.foreign_choices_are_refused(staff_client(desks, Role.OWNER), desks, model)


def test_every_form_that_adds_is_attacked(desks: Desks) -> None:
    client = staff_client(desks, Role.OWNER)
    adding = set()
    for model in MODELS:
        response = client.get(attacks.page(model, "add"))
        if response.status_code == 200:
            fields = response.context_data["adminform"].form.fields.values()
            adding |= {model._meta.label} if any(hasattr(f, "queryset") for f in fields) else set()

    assert adding == set(ADDING)


@changes_nothing
def test_inline_forms_take_no_foreign_row(desks: Desks) -> None:
    attacks.inline_rows_are_refused(staff_client(desks, Role.OWNER), desks)


@changes_nothing
@pytest.mark.usefixtures("plain_pages")
@pytest.mark.parametrize(("model", "action"), ACTIONS)
@pytest.mark.parametrize("role", [Role.OWNER, Role.AUDITOR])
def test_actions_touch_own_rows_only(
    desks: Desks, role: Role, model: type[Model], action: str
) -> None:
    attacks.actions_touch_own_only(staff_client(desks, role), desks, model, action)


@changes_nothing
@pytest.mark.usefixtures("plain_pages")
@pytest.mark.parametrize("role", [Role.OWNER, "superuser"])
def test_djangos_own_deleting_is_offered_nowhere(desks: Desks, role: str) -> None:
    client = staff_client(desks, role)

    for model in MODELS:
        if not (role == "superuser" and model._meta.label in OF_THE_HOUSE):
            attacks.actions_touch_own_only(client, desks, model, "delete_selected")


@changes_nothing
def test_actions_on_mixed_ids_do_act_on_own_rows(desks: Desks) -> None:
    """Otherwise the test above would pass with actions that do nothing at all."""
    customers = admin.site._registry[type(desks.a.customers[0])].model
    data = {"action": "deactivate", "confirmed": "1", "reason": "because"}
    chosen = [c.pk for c in (*desks.b.customers, desks.a.customers[0])]

    response = staff_client(desks, Role.OWNER).post(
        attacks.page(customers, "changelist"), data | {"_selected_action": chosen}, follow=True
    )

    assert "1 row changed." in response.content.decode()
    states = dict(rows_of(customers, desks.a.tenant).values_list("pk", "status"))
    assert states[desks.a.customers[0].pk] == "inactive"
    assert states[desks.a.customers[1].pk] == "active"


def test_an_auditor_cannot_stop_the_schedules_of_every_desk(desks: Desks) -> None:
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    every = IntervalSchedule.objects.create(every=5, period="seconds")
    sweep = PeriodicTask.objects.create(name="sweep", task="x", interval=every)
    try:
        for action in ("disable_tasks", "toggle_tasks", "run_tasks"):
            staff_client(desks, Role.AUDITOR).post(
                attacks.page(PeriodicTask, "changelist"),
                {"action": action, "_selected_action": [sweep.pk]},
            )
            sweep.refresh_from_db()
            assert sweep.enabled, action
    finally:
        sweep.delete()


# Pages that are no table's.


@changes_nothing
@pytest.mark.parametrize("role", [*STAFF, "superuser"])
def test_the_pages_of_the_house_show_only_this_desk(desks: Desks, role: str) -> None:
    client = staff_client(desks, role)
    account = desks.b.accounts[0].pk
    for address in (
        reverse("admin:index"),
        reverse("admin:switch"),
        reverse("admin:manual_signal") + f"?account={account}",
        reverse("admin:preview") + f"?account={account}",
        *([] if role == "superuser" else [reverse("admin:choose_desk")]),
        reverse("admin:search") + "?s=desk&extended=1",
        reverse("admin:password_change"),
        reverse("accounts:step_up"),
        *(reverse("admin:app_list", args=[app]) for app in ("trading", "customers", "accounts")),
    ):
        response = client.get(address)

        assert response.status_code in {200, 403}, (address, response.status_code)
        assert not desks.leaks(response.content.decode()), address


def test_the_dashboard_counts_only_this_desk(desks: Desks) -> None:
    shown = staff_client(desks, Role.OWNER).get(reverse("admin:index")).context_data

    assert shown["customers"]["all"] == len(desks.a.customers)
    assert shown["strategies"]["all"] == len(desks.a.strategies)


@changes_nothing
@pytest.mark.parametrize("scope", ["strategy", "customer", "account"])
def test_the_switch_takes_no_foreign_target(desks: Desks, scope: str) -> None:
    targets = {
        "strategy": desks.b.strategies[0].pk,
        "customer": desks.b.customers[0].pk,
        "account": desks.b.accounts[0].pk,
    }
    words = []
    for pk in (targets[scope], attacks.ABSENT):
        data = {"scope": scope, scope: pk, "mode": "halted", "reason": "mine"}
        response = staff_client(desks, Role.OWNER).post(reverse("admin:switch"), data)
        assert response.status_code == 200
        words.append(response.context_data["form"].errors[scope])
        assert not desks.leaks(response.content.decode())
    assert words[0] == words[1]


@changes_nothing
def test_the_switch_of_the_whole_desk_is_this_desks(desks: Desks) -> None:
    data = {"scope": "tenant", "mode": "halted", "reason": "ours", "tenant": desks.b.tenant.pk}

    response = staff_client(desks, Role.OWNER).post(reverse("admin:switch"), data)

    assert response.status_code == 302


@changes_nothing
def test_no_system_switch_is_thrown_from_a_desk(desks: Desks) -> None:
    data = {"scope": "system", "mode": "halted", "reason": "everybody"}
    for role in STAFF:
        response = staff_client(desks, role).post(reverse("admin:switch"), data)
        assert "scope" in response.context_data["form"].errors


@changes_nothing
def test_a_manual_signal_takes_no_foreign_account(desks: Desks) -> None:
    words = []
    for pk in (desks.b.accounts[0].pk, attacks.ABSENT):
        data = {
            "account": pk, "instrument": "BTC-USDT-SWAP", "intent": "open", "direction": "long",
            "quantity": "1", "mode": "contracts",
            "external_id": "5f0c3c2e-6a51-4a65-a1f4-6f3a1c6b0a11",
        }  # fmt: skip
        response = staff_client(desks, Role.OWNER).post(reverse("admin:manual_signal"), data)
        assert response.status_code == 200
        words.append(response.context_data["form"].errors)
        assert not desks.leaks(response.content.decode())
    assert words[0] == words[1]
    assert set(words[0]) == {"account"}


@changes_nothing
@pytest.mark.parametrize("role", [*STAFF, *OUTSIDERS])
def test_nobody_enters_a_foreign_desk(desks: Desks, role: Role) -> None:
    user = desks.outsiders.get(role) or desks.a.people[role]
    client = signed_in(user)
    told = []
    for uid in (desks.b.tenant.uid, "6c1d9f57-2f3a-4ab1-9f06-0d6d4f9d8f10"):
        response = client.post(reverse("accounts:choose_desk"), {"desk": uid})
        told.append((response.status_code, response.content))
    assert told[0] == told[1]
    assert told[0][0] == 404


def test_a_forged_session_does_not_change_the_desk(desks: Desks) -> None:
    client = signed_in(desks.a.owner, desks.b.tenant)

    attacks.list_shows_own(client, desks, type(desks.b.customers[0]))
    assert "North desk" in client.get(reverse("admin:index")).content.decode()


def test_the_shortcut_to_objects_answers_alike_for_all(desks: Desks) -> None:
    from django.contrib.contenttypes.models import ContentType

    client = staff_client(desks, Role.OWNER)
    for model in MODELS:
        if attacks.foreign_pk(desks, model) is None:
            continue
        told = []
        for pk in (attacks.foreign_pk(desks, model), attacks.absent_pk(model)):
            kind = ContentType.objects.get_for_model(model).pk
            response = client.get(reverse("admin:view_on_site", args=[kind, pk]))
            told.append((response.status_code, response.content))
        assert told[0] == told[1], model


# Those who have no business in the back office.


def addresses(desks: Desks) -> list[str]:
    own: list[Any] = [
        reverse(f"admin:{n}") for n in ("index", "switch", "manual_signal", "preview", "search")
    ]
    own += [reverse("admin:choose_desk"), reverse("admin:autocomplete")]
    for model in MODELS:
        own += [attacks.page(model, "changelist"), attacks.page(model, "add")]
        pk = attacks.foreign_pk(desks, model)
        if pk is not None:
            own += [attacks.page(model, name, pk) for name in attacks.OBJECT_PAGES]
    return own


@changes_nothing
@pytest.mark.parametrize("role", [*OUTSIDERS, "anonymous"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_outsiders_never_reach_the_back_office(desks: Desks, role: str, method: str) -> None:
    client = signed_in(desks.outsiders.get(Role(role)) if role != "anonymous" else None)

    for address in addresses(desks):
        response = getattr(client, method)(address)

        assert response.status_code in {302, 403}, (address, response.status_code)
        if response.status_code == 302:
            assert response["Location"].startswith(reverse("admin:login")), address
        assert not desks.leaks(response.content.decode()), address


def test_a_member_switched_off_is_out_at_once(desks: Desks) -> None:
    user = desks.a.people[Role.TRADER]
    client = signed_in(user, desks.a.tenant)
    assert client.get(reverse("admin:index")).status_code == 200

    user.memberships.update(is_active=False)

    assert client.get(reverse("admin:index")).status_code == 302
