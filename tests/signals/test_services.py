"""Sources: their secrets are shown once, and the built-in ones are always there."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ValidationError

from accounts.fields import hash_identity
from accounts.models import AuditEntry, Tenant
from accounts.tenancy import tenant_scope
from customers.enums import Market
from signals import services
from signals.enums import SourceKind, SourceStatus
from signals.models import SignalSource
from tests.factories import make_source, make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def desk() -> Tenant:
    return make_tenant()


def written(desk: Tenant) -> str:
    with tenant_scope(desk):
        return json.dumps(
            [[entry.action, entry.before, entry.after] for entry in AuditEntry.objects.all()]
        )


def test_a_source_shows_its_secrets_once(desk: Tenant) -> None:
    with tenant_scope(desk):
        new = services.create_source(
            name="TradingView", market=Market.DEMO, actor=None, with_token=True
        )
        source = SignalSource.objects.get(pk=new.source.pk)

    assert new.token is not None
    assert min(len(new.secret), len(new.token)) >= 43
    assert source.secret is not None
    assert source.secret.reveal() == new.secret
    assert source.token_hash == hash_identity(new.token)
    assert new.secret not in repr(new)
    assert new.token not in repr(new)
    assert new.secret not in written(desk)
    assert "source.created" in written(desk)


def test_a_source_without_a_token_has_one_address(desk: Tenant) -> None:
    with tenant_scope(desk):
        new = services.create_source(name="Bot", market=Market.DEMO, actor=None)

    assert (new.token, new.source.token_hash) == (None, None)


def test_two_sources_of_a_desk_have_two_names(desk: Tenant) -> None:
    make_source(desk, name="Bot")

    with tenant_scope(desk), pytest.raises(ValidationError):
        services.create_source(name="Bot", market=Market.DEMO, actor=None)


def test_the_old_secret_is_kept_until_it_is_cleared(desk: Tenant) -> None:
    source = make_source(desk, secret="old")
    with tenant_scope(desk):
        new = services.rotate_source_secret(source=source, actor=None)
        rotated = SignalSource.objects.get()
        assert rotated.previous_secret is not None
        assert rotated.previous_secret.reveal() == "old"
        services.clear_previous_secret(source=source, actor=None)
        cleared = SignalSource.objects.get()

    assert cleared.previous_secret is None
    assert cleared.secret is not None
    assert cleared.secret.reveal() == new.secret
    assert new.secret not in written(desk)


def test_a_new_address_ends_the_old_one(desk: Tenant) -> None:
    source = make_source(desk, token="old")
    with tenant_scope(desk):
        token = services.rotate_source_token(source=source, actor=None)

        assert SignalSource.objects.get().token_hash == hash_identity(token)


def test_built_in_sources_have_neither_secret_nor_address(desk: Tenant) -> None:
    source = services.manual_source(desk)

    with tenant_scope(desk):
        for change in (services.rotate_source_secret, services.rotate_source_token):
            with pytest.raises(ValidationError):
                change(source=source, actor=None)


def test_a_source_is_switched_off_and_on(desk: Tenant) -> None:
    source = make_source(desk)
    with tenant_scope(desk):
        for _ in range(2):
            services.set_source_status(source=source, status=SourceStatus.DISABLED, actor=None)
        assert SignalSource.objects.get().status == "disabled"
        services.set_source_status(source=source, status=SourceStatus.ENABLED, actor=None)

        actions = AuditEntry.objects.order_by("at", "id").values_list("action", flat=True)
        assert list(actions) == ["source.disabled", "source.enabled"]


def test_every_desk_has_its_built_in_sources_once(desk: Tenant) -> None:
    for _ in range(2):
        services.ensure_builtin_sources(desk)

    with tenant_scope(desk):
        kinds = SignalSource.objects.order_by("kind").values_list("kind", flat=True)
        assert list(kinds) == [SourceKind.MANUAL, SourceKind.SYSTEM]
    assert services.system_source(desk) != services.system_source(make_tenant())
