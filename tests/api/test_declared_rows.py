"""Views declare their rows where their module is imported, and any request may do that."""

from __future__ import annotations

import pytest

from accounts.api.views import DeskViewSet
from accounts.tenancy import ScopeError, tenant_scope
from customers.models import Customer
from tests import factories as make

pytestmark = pytest.mark.django_db


def test_a_view_that_the_first_request_of_a_desk_imports_serves_every_desk() -> None:
    first, second = make.make_tenant(), make.make_tenant()
    ours, theirs = make.make_customer(first), make.make_customer(second)

    with tenant_scope(first):

        class Late(DeskViewSet):
            queryset = Customer.objects.order_by("pk")

        kept = Customer.objects.order_by("pk")

    for tenant, customer in ((first, ours), (second, theirs)):
        with tenant_scope(tenant):
            assert list(Late.queryset.all()) == [customer]
    with tenant_scope(second), pytest.raises(ScopeError):
        list(kept)
