"""The two desks are worth attacking: every table is filled, and the canary can be seen."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.isolation.worlds import Desks, rows_of, signed_in, tenant_models, texts_of

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]
# Lists whose columns hold numbers, times and links to rows that are named by them.
WITHOUT_TEXT = {"signals.SignalNonce", "trading.MarginThreshold"}


@pytest.mark.parametrize("model", tenant_models())
def test_both_desks_hold_two_rows_of_every_table(desks: Desks, model: type) -> None:
    counts = [rows_of(model, world.tenant).count() for world in (desks.a, desks.b)]

    assert min(counts) >= 2, counts


@pytest.mark.parametrize("model", tenant_models())
def test_every_text_of_the_second_desk_holds_the_canary(desks: Desks, model: type) -> None:
    for name in texts_of(model):
        for text in rows_of(model, desks.b.tenant).values_list(name, flat=True):
            assert desks.leaks(str(text)), (name, text)
        for text in rows_of(model, desks.a.tenant).values_list(name, flat=True):
            assert not desks.leaks(str(text)), (name, text)


@pytest.mark.parametrize("model", tenant_models())
def test_its_own_people_see_the_canary_in_their_lists(desks: Desks, model: type) -> None:
    """Without this, pages that show nothing at all would pass every other test."""
    if model._meta.label in WITHOUT_TEXT or model not in admin.site._registry:
        return
    page = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"

    response = signed_in(desks.b.owner).get(reverse(page))

    assert response.status_code == 200
    assert desks.leaks(response.content.decode())
