"""Two desks with the same rows, told apart by the letter their titles begin with."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Tenant
from accounts.scope import all_tenants, tenant_scope
from tests.accounts.library.models import Book, Loan, Rule, Shelf


@dataclass(frozen=True)
class Desk:
    tenant: Tenant
    shelf: Shelf
    books: tuple[Book, ...]
    loan: Loan


@dataclass(frozen=True)
class World:
    a: Desk
    b: Desk


def make_desk(letter: str) -> Desk:
    tenant = Tenant.objects.create(name=f"Desk {letter}", slug=f"desk-{letter}")
    with tenant_scope(tenant):
        shelf = Shelf.objects.create(name=f"{letter}-shelf")
        books = tuple(
            Book.objects.create(shelf=shelf, title=f"{letter}{n}", price=n) for n in (1, 2)
        )
        Rule.objects.create(name=f"{letter}-rule")
        loan = Loan.objects.create(book=books[0])
    return Desk(tenant, shelf, books, loan)


def make_world() -> World:
    world = World(make_desk("a"), make_desk("b"))
    with all_tenants("a system rule"):
        Rule.objects.create(name="system-rule")
    return world


def titles() -> list[str]:
    """Every title of every desk: what a write must have left alone."""
    with all_tenants("look at everything"):
        return sorted(Book.objects.values_list("title", flat=True))
