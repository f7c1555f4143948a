"""What would open a way around the tenant filter is found when the project starts."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from accounts.checks import check_tenant_model
from accounts.tenancy import TenantModel
from tests.accounts.library.models import Amount, Book, Loan, Rule, Shelf


class Unguarded(TenantModel):
    objects = models.Manager()
    tags = models.ManyToManyField(Shelf, related_name="+")
    amount = models.ForeignKey(Amount, on_delete=models.PROTECT, related_name="+")
    seen = models.ForeignKey(Amount, on_delete=models.PROTECT, related_name="seen_by")

    class Meta:
        app_label = "not_installed"

    def __str__(self) -> str:
        return str(self.pk)


def test_each_way_around_is_named() -> None:
    found = [(error.id, error.obj) for error in check_tenant_model(Unguarded)]

    assert found == [
        ("accounts.E001", Unguarded),
        ("accounts.E003", Unguarded._meta.get_field("seen")),
        ("accounts.E004", Unguarded._meta.get_field("tags")),
    ]


@pytest.mark.parametrize("model", [Book, Loan, Rule, Shelf])
def test_guarded_tables_pass(model: type[TenantModel]) -> None:
    assert list(check_tenant_model(model)) == []


def test_every_tenant_table_of_the_product_passes() -> None:
    tables = [model for model in apps.get_models() if issubclass(model, TenantModel)]

    found = [error for model in tables for error in check_tenant_model(model)]

    assert len(tables) > 5
    assert found == []
