"""What one desk tries in order to see or move the other; each raises AssertionError when it can.

test_admin.py runs them against the product, test_guards.py against the product without one
of its guards.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.messages import get_messages
from django.db import IntegrityError, models, transaction
from django.http import HttpResponse, QueryDict
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import Membership, Tenant, User
from accounts.tenancy import ScopeError, TenantModel, tenant_scope
from customers.models import Customer
from signals.models import Signal, SignalNonce
from signals.webhooks import sign
from strategies.models import Subscription
from tests import factories as make
from tests.isolation.worlds import Desks, rows_of, unscoped
from trading.models import Order, StreamLease

ABSENT = 987_654_321
NOISE = re.compile(
    r'name="csrfmiddlewaretoken" value="[^"]*"|nonce="[^"]*"|[0-9a-f]{32}|20\d\d-\d\d-\d\d[^<"]*'
)
OBJECT_PAGES = ("change", "history", "delete")
FURTHER_PAGES = {
    "customers.Customer": ("portal", "paper"),
    "customers.ExchangeAccount": ("key", "paper", "reset"),
    "notifications.Destination": ("test",),
    "signals.LeaderAccount": ("key",),
    "signals.SignalSource": ("secret", "address"),
    "strategies.Subscription": ("shadow",),
    "trading.Order": ("ask", "settle"),
    "trading.Repair": ("decide",),
    "trading.Position": ("protect",),
    "trading.Protection": ("ask",),
}


def admins() -> list[tuple[type[models.Model], ModelAdmin]]:
    return list(admin.site._registry.items())


def model_admin_actions(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(admin.site._registry[model].actions or ())


def page(model: type[models.Model], name: str, *args: Any) -> str:
    opts = model._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{name}", args=args)


def foreign_rows(desks: Desks, model: type[models.Model]) -> models.QuerySet[Any]:
    """The rows of desk B, of shared tables those that hold B's people and B's sockets."""
    tenant = desks.b.tenant
    if issubclass(model, TenantModel) or model is Membership:
        return rows_of(model, tenant).order_by("pk")
    if model is Tenant:
        return unscoped(Tenant).filter(pk=tenant.pk)
    if model is User:
        return unscoped(User).filter(memberships__tenant=tenant).order_by("pk")
    if model is StreamLease:
        return unscoped(StreamLease).filter(account_id__in=[a.pk for a in desks.b.accounts])
    return unscoped(model).none()


def foreign_pk(desks: Desks, model: type[models.Model]) -> Any:
    return foreign_rows(desks, model).values_list("pk", flat=True).first()


def absent_pk(model: type[models.Model]) -> Any:
    key: Any = model._meta.pk
    return uuid.uuid4() if isinstance(key, models.UUIDField) else ABSENT


# What is shown.


def list_shows_own(client: Client, desks: Desks, model: type[models.Model]) -> int:
    response = client.get(page(model, "changelist"))

    assert response.status_code in {200, 403}, response.status_code
    _clean(desks, response)
    if response.status_code == 200:
        _only_own(desks, response)
    return int(response.status_code)


def addresses_find_nothing(client: Client, desks: Desks, model: type[models.Model]) -> None:
    """Search, filters, order, popups and look-ups by B's ids, typed into the address."""
    model_admin = admin.site._registry[model]
    for query in {*_probes(desks, model, model_admin), f"q={desks.long}", f"q={desks.short}"}:
        response = client.get(f"{page(model, 'changelist')}?{query}")
        if response.status_code == 302:  # what cannot be asked is told without having looked
            assert "?e=1" in response["Location"], (query, response["Location"])
            continue
        assert response.status_code in {200, 400, 403}, (query, response.status_code)
        if response.status_code == 200:
            _only_own(desks, response)
            assert not desks.leaks(_without(response, *QueryDict(query).values())), query


def hidden_fields_cannot_be_probed(client: Client, desks: Desks, model: type[models.Model]) -> None:
    """A look-up that is not offered must not answer, be it true or false of a row."""
    for name in ("tenant__name__startswith", "tenant__slug__contains", "tenant_id__gt"):
        response = client.get(f"{page(model, 'changelist')}?{name}=0")

        assert response.status_code in {302, 400, 403}, (name, response.status_code)


def objects_are_absent(
    client: Client,
    desks: Desks,
    model: type[models.Model],
    methods: tuple[str, ...] = ("get", "post"),
) -> None:
    """B's row answers as a row that never was: status, place sent to, words and body."""
    for name in (*OBJECT_PAGES, *FURTHER_PAGES.get(model._meta.label, ())):
        for method in methods:
            told = [
                _told(getattr(client, method)(page(model, name, pk)), pk)
                for pk in (foreign_pk(desks, model), absent_pk(model))
            ]
            assert told[0] == told[1], (model, name, method, told)
            assert told[0][0] in {302, 403, 404}, (model, name, method, told[0])


def options_are_own(client: Client, desks: Desks, model: type[models.Model]) -> None:
    """The forms to add and to change offer no row of B."""
    own = rows_of(model, desks.a.tenant).first() if issubclass(model, TenantModel) else None
    pages = [page(model, "add"), page(model, "add") + "?" + _prefilled(desks, model)]
    pages += [page(model, "change", own.pk)] if own else []
    for address in pages:
        response = client.get(address)

        assert response.status_code in {200, 403}, (address, response.status_code)
        _clean(desks, response)


def suggestions_are_own(client: Client, desks: Desks, model: type[models.Model]) -> None:
    """The autocomplete of every foreign key of the table, whether a form uses it or not."""
    for field in model._meta.concrete_fields:
        if not field.is_relation:
            continue
        for term in (desks.long, desks.short, ""):
            query = {
                "app_label": model._meta.app_label,
                "model_name": model._meta.model_name,
                "field_name": field.name,
                "term": term,
            }
            response = client.get(reverse("admin:autocomplete"), query)

            assert response.status_code in {200, 403, 404}, (field.name, response.status_code)
            _clean(desks, response)
            if response.status_code == 200 and term:
                assert response.json()["results"] == [], (field.name, term)


# What is written.


def foreign_choices_are_refused(client: Client, desks: Desks, model: type[models.Model]) -> None:
    """A posted form with B's ids is refused at the field, with the words for an absent row."""
    form = _fields(client, model)
    related = {name: f.queryset.model for name, f in form.items() if hasattr(f, "queryset")}
    for name, target in related.items():
        words = []
        for pk in (foreign_pk(desks, target), absent_pk(target)):
            data = _typed(desks, model, form, own=related) | {name: pk}
            response = client.post(page(model, "add"), data)
            assert response.status_code == 200, (name, response.status_code)
            _clean(desks, response)
            words.append(_errors(response)[name])
        assert words[0] == words[1], name


def inline_rows_are_refused(client: Client, desks: Desks) -> None:
    """A strategy of A listens to no source of B, and edits no link of B."""
    strategies, links = (apps.get_model(f"strategies.{n}") for n in ("Strategy", "StrategySource"))
    own = desks.a.strategies[0]
    link = rows_of(links, desks.b.tenant).values_list("pk", flat=True).first()
    source = desks.a.sources[1].pk
    before = set(rows_of(links, desks.a.tenant).values_list("pk", "source"))
    told = []
    for row in (
        {"source": desks.b.sources[0].pk},
        {"source": ABSENT},
        {"id": link, "source": source},
        {"id": ABSENT, "source": source},
        {"id": link, "source": source, "DELETE": "on"},
        {"id": ABSENT, "source": source, "DELETE": "on"},
    ):
        initial = 1 if "id" in row else 0
        form = _typed(desks, strategies, _fields(client, strategies), own={})
        prefix = "source_links"
        data = form | {
            f"{prefix}-TOTAL_FORMS": 1,
            f"{prefix}-INITIAL_FORMS": initial,
            **{f"{prefix}-0-{name}": value for name, value in row.items()},
        }
        response = client.post(page(strategies, "change", own.pk), data)

        told.append(response.status_code)
        assert set(rows_of(links, desks.a.tenant).values_list("pk", "source")) == before, row
    assert told[::2] == told[1::2] == [200, 200, 302]


def actions_touch_own_only(
    client: Client, desks: Desks, model: type[models.Model], action: str
) -> None:
    """An action on ids of both desks acts on A's, also when all rows are meant."""
    chosen = [*foreign_rows(desks, model).values_list("pk", flat=True)]
    if issubclass(model, TenantModel):
        chosen += rows_of(model, desks.a.tenant).values_list("pk", flat=True)
    told = {"action": action, ACTION_CHECKBOX_NAME: chosen, "index": 0}
    address = page(model, "changelist")
    steps = ({}, {"confirmed": "1", "reason": "why"}, {"confirmed": "1", "select_across": "1"})
    for more in steps if action in model_admin_actions(model) else steps[2:]:
        response = client.post(address, told | more)

        assert response.status_code in {200, 302, 403}, (more, response.status_code)
        _clean(desks, response)


# Helpers.


def _clean(desks: Desks, response: Any) -> None:
    leak = desks.leaks(response.content.decode())
    assert leak is None, f"{response.wsgi_request.get_full_path()}: {leak}"
    for names in response.headers.values():
        assert not desks.leaks(names), names


def _only_own(desks: Desks, response: Any) -> None:
    """No row of B among those listed, nor in what the count says."""
    changes: Any = getattr(response, "context_data", {}).get("cl")
    if changes is None:
        return
    model = changes.model
    # The cache, since the rows may be read in their own scope only, which ended with the request.
    shown = {row.pk for row in changes.result_list._result_cache or ()}
    foreign = set(foreign_rows(desks, model).values_list("pk", flat=True))
    assert not shown & foreign, model
    if issubclass(model, TenantModel):
        own = unscoped(model).exclude(tenant_id=desks.b.tenant.pk).count()
        assert changes.result_count <= own, (model, changes.result_count)


def _without(response: Any, *typed: str) -> str:
    """The page without what was typed into its address, which it may show again."""
    text: str = response.content.decode()
    for word in sorted({w for w in typed if w}, key=len, reverse=True):
        text = text.replace(word, "")
    return text


def _told(response: Any, pk: Any) -> tuple[Any, ...]:
    location = response.headers.get("Location", "")
    words = [str(m) for m in get_messages(response.wsgi_request)._queued_messages]
    told = [location, response.content.decode(), *words]
    # A picture may be as many pixels wide as the key says.
    told = [re.sub(r' (?:width|height)="\d+"', "", text) for text in told]
    known = {str(pk), str(pk).replace("-", ""), str(pk).replace("-", "_2D")}
    for word in known:
        told = [re.sub(rf"(?<=[/“\"=]){word}(?=[/”\"&]|$)", "<pk>", text) for text in told]
    return response.status_code, *(NOISE.sub("", text) for text in told)


def _probes(desks: Desks, model: type[models.Model], model_admin: ModelAdmin) -> Iterator[str]:
    tenant = desks.b.tenant
    yield from (f"tenant__id__exact={tenant.pk}", f"tenant={tenant.pk}", f"tenant_id={tenant.pk}")
    yield from (f"tenant__slug={tenant.slug}", "all=&o=1.-2&_popup=1")
    pk = foreign_pk(desks, model)
    if pk is not None:
        yield from (f"pk__in={pk}", f"_popup=1&_to_field={model._meta.pk.name}&pk={pk}")  # type: ignore[union-attr]
    yield from ("_popup=1&_to_field=uid", "_popup=1&_to_field=tenant", "pk__gt=0")
    for field in model._meta.concrete_fields:
        if field.is_relation and field.name != "tenant":
            target = foreign_pk(desks, field.related_model)
            yield from (f"{field.name}__id__exact={target}", f"{field.name}__tenant={tenant.pk}")
            yield f"{field.attname}={target}"
        elif isinstance(field, models.CharField):
            yield f"{field.name}={desks.long}"
    for item in model_admin.list_filter:
        name = item[0] if isinstance(item, tuple) else item
        name = name if isinstance(name, str) else str(getattr(name, "parameter_name", ""))
        yield f"{name}__exact={desks.short}"


def _prefilled(desks: Desks, model: type[models.Model]) -> str:
    query = QueryDict(mutable=True)
    for field in model._meta.concrete_fields:
        if field.is_relation:
            query[field.name] = str(foreign_pk(desks, field.related_model))
    query["tenant"] = str(desks.b.tenant.pk)
    return query.urlencode()


def _fields(client: Client, model: type[models.Model]) -> dict[str, Any]:
    """The fields of the form that this client is given to add a row."""
    response = client.get(page(model, "add"))
    if response.status_code != 200:
        return {}
    return dict(response.context_data["adminform"].form.fields)


def _typed(
    desks: Desks, model: type[models.Model], form: dict[str, Any], own: dict[str, Any]
) -> dict[str, Any]:
    """A form filled in as a person of A would: own rows, first choices, a number, a word."""
    data: dict[str, Any] = {}
    for name, field in form.items():
        if name in own:
            value = field.queryset.none().model._base_manager
            data[name] = _own_pk(desks, value.model)
        elif getattr(field, "choices", None):
            data[name] = next((key for key, _ in field.choices if key), "")
        elif name in {"name", "label"}:
            data[name] = f"typed {uuid.uuid4().hex[:6]}"
        elif field.initial is not None and not callable(field.initial):
            data[name] = field.initial
        else:
            data[name] = "1" if field.required else ""
    for prefix in ("source_links",):
        data |= {f"{prefix}-{key}_FORMS": 0 for key in ("TOTAL", "INITIAL")}
    return data


def _own_pk(desks: Desks, model: type[models.Model]) -> Any:
    if issubclass(model, TenantModel):
        return rows_of(model, desks.a.tenant).values_list("pk", flat=True).first()
    if model is User:
        return desks.a.owner.pk
    return unscoped(model).values_list("pk", flat=True).first()


def _errors(response: HttpResponse) -> dict[str, list[str]]:
    form: Any = response.context_data["adminform"].form  # type: ignore[attr-defined]
    return {name: [str(e) for e in errors] for name, errors in form.errors.items()}


def request_of(user: Any) -> Any:
    """A bare request, for guards that are asked directly."""
    request = RequestFactory().get("/admin/")
    request.user = user
    return request


def webhooks_serve_their_own_desk(desks: Desks) -> None:
    """A caller of A cannot call as B, nor reach B's rows through what the body says."""
    client = Client(raise_request_exception=False)
    own, foreign = desks.a.sources[0], desks.b.sources[0]
    stored = rows_of(Signal, desks.b.tenant).count()

    told = [_called(client, uid, _instruction()) for uid in (foreign.uid, uuid.uuid4())]
    assert told[0] == told[1]
    assert told[0][0] == 404

    status, body = _called(client, own.uid, _instruction())
    assert status == 202, body
    signal = unscoped(Signal).get(pk=json.loads(body)["signal_id"])
    assert (signal.tenant_id, signal.source_id) == (desks.a.tenant.pk, own.pk)

    # What a body may not say is refused; what it may, stays in the desk of its source.
    named = {"tenant": desks.b.tenant.pk, "account": desks.b.accounts[0].pk}
    for extra in ({k: v} for k, v in named.items()):
        _called(client, own.uid, _instruction(**extra))
    taken = rows_of(Signal, desks.b.tenant).values_list("external_id", flat=True).first()
    assert _called(client, own.uid, _instruction(id=taken))[0] == 202  # not a duplicate of B's
    assert rows_of(Signal, desks.b.tenant).count() == stored
    assert not rows_of(Signal, desks.a.tenant).filter(account__in=desks.b.accounts).exists()


def _instruction(**changes: Any) -> bytes:
    terms = {
        "id": uuid.uuid4().hex,
        "instrument": "BTC-USDT-SWAP",
        "intent": "open",
        "direction": "long",
        "quantity": {"mode": "contracts", "value": 5},
    }
    return json.dumps(terms | changes).encode()


def _called(client: Client, uid: Any, body: bytes) -> tuple[int, bytes]:
    """Signed with the secret of desk A's sources."""
    at, nonce = str(int(time.time())), uuid.uuid4().hex
    headers = {
        "X-Copydesk-Timestamp": at,
        "X-Copydesk-Nonce": nonce,
        "X-Copydesk-Signature": sign(make.SECRET, at, nonce, body),
    }
    response = client.post(f"/hooks/{uid}/", body, content_type="application/json", headers=headers)
    return response.status_code, response.content


def rows_keep_to_their_desk(desks: Desks) -> None:
    """Below every page: no write in A's scope makes, moves or points a row across."""
    strategy, account = desks.b.strategies[0], desks.a.accounts[0]
    link = desks.a.subscriptions[0]
    own: dict[str, Any] = {"tenant": desks.a.tenant}
    ids: dict[str, Any] = {"strategy_id": strategy.pk, "account_id": account.pk}
    with tenant_scope(desks.a.tenant):
        tries: dict[str, Any] = {
            "create": lambda: Subscription.objects.create(
                **own, strategy=strategy, account=account
            ),
            "create by id": lambda: Subscription(**own, **ids).save(),
            "bulk_create": lambda: Subscription.objects.bulk_create([Subscription(**own, **ids)]),
            "point": lambda: Subscription.objects.filter(pk=link.pk).update(strategy=strategy),
            "move": lambda: Subscription.objects.filter(pk=link.pk).update(tenant=desks.b.tenant),
            "save theirs": desks.b.customers[0].save,
            "delete theirs": desks.b.customers[0].delete,
        }
        for name, attempt in tries.items():
            try:
                with transaction.atomic():
                    attempt()
            except ScopeError:
                continue
            except IntegrityError as error:  # only the database was in the way
                raise AssertionError(name) from error
            raise AssertionError(name)
        assert Customer.objects.filter(pk=desks.b.customers[0].pk).update(notes="mine") == 0
        assert SignalNonce.objects.filter(pk=foreign_pk(desks, SignalNonce)).delete()[0] == 0
        assert not Customer.objects.filter(pk=desks.b.customers[0].pk).exists()
        assert not set(Order.objects.values_list("pk", flat=True)) & {o.pk for o in desks.b.orders}
