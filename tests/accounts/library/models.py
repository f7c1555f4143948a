"""Tables with every kind of column and parent that tenant tables have."""

from __future__ import annotations

from typing import Any

from django.db import models

from accounts.fields import (
    EncryptedTextField,
    ExactDecimalField,
    uid_field,
    uuid7_pk,
)
from accounts.tenancy import (
    PartitionedTenantModel,
    SystemTenantModel,
    TenantManager,
    TenantModel,
    TenantQuerySet,
)


class BookQuerySet(TenantQuerySet[Any]):
    def cheap(self) -> BookQuerySet:
        return self.filter(price__lt=10)


class Shelf(TenantModel):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Book(TenantModel):
    uid = uid_field()
    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE, related_name="books")
    title = models.CharField(max_length=50)
    price = ExactDecimalField(null=True, blank=True)
    secret = EncryptedTextField(null=True, blank=True)
    second_secret = EncryptedTextField(blank=True)
    required_secret = EncryptedTextField(default="always")

    objects = TenantManager.from_queryset(BookQuerySet)()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "title"], name="library_book_title_unique"),
        ]

    def __str__(self) -> str:
        return self.title


class Rule(SystemTenantModel):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Loan(PartitionedTenantModel):
    id = uuid7_pk()
    book = models.ForeignKey(
        Book, on_delete=models.DO_NOTHING, db_constraint=False, related_name="loans"
    )
    secret = EncryptedTextField(null=True)

    def __str__(self) -> str:
        return str(self.pk)


class Amount(models.Model):
    value = ExactDecimalField()

    def __str__(self) -> str:
        return str(self.value)


class Identity(models.Model):
    key = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return self.key
