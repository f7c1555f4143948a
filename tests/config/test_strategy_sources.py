"""The sources of a strategy in the back office: whoever holds something of one keeps being led."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Installation
from accounts.tenancy import tenant_scope
from strategies.models import StrategySource
from tests import factories as make
from tests.config.test_backoffice_actions import as_shown, signed_in
from tests.trading.copying.desk import Desk, ended, make_desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    Installation.objects.get_or_create(pk=1)
    return make_desk()


def sent(desk: Desk, browser: Client, **changed: Any) -> list[int]:
    """Send the strategy's page with its one source changed; the sources that it has then."""
    page = reverse("admin:strategies_strategy_change", args=[desk.strategy.pk])
    with tenant_scope(desk.tenant):
        row = StrategySource.objects.get()
    form = as_shown(browser.get(page)) | {
        "source_links-TOTAL_FORMS": 1,
        "source_links-INITIAL_FORMS": 1,
        "source_links-0-id": row.pk,
        "source_links-0-strategy": desk.strategy.pk,
        "source_links-0-source": row.source_id,
    }
    browser.post(page, form | {f"source_links-0-{name}": value for name, value in changed.items()})
    with tenant_scope(desk.tenant):
        return list(StrategySource.objects.values_list("source_id", flat=True))


def test_a_source_stays_while_something_is_held_of_it(desk: Desk) -> None:
    desk.follower()
    other = make.make_source(desk.tenant)
    browser = signed_in(desk.tenant)
    ended(desk.hear("open", "10")[0])

    assert sent(desk, browser, DELETE="on") == [desk.source.pk]
    assert sent(desk, browser, source=other.pk) == [desk.source.pk]
    (closed,) = desk.hear("close")
    ended(closed)

    assert sent(desk, browser, source=other.pk) == [other.pk]
    assert sent(desk, browser, DELETE="on") == []
