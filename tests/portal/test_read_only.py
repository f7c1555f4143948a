"""The portal changes nothing but its looks and one's own password: tried, and by construction."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from accounts.tenancy import tenant_scope
from config.portal import urls
from tests.isolation.worlds import digest
from tests.portal.desk import Portal
from trading.models import Decision, Order

FOLDER = Path(urls.__file__).parent
MAY_POST = {"login", "logout", "looks", "password", "desk", "welcome"}
WRITERS = (
    "customers.services", "customers.portal", "customers.credentials", "signals.services",
    "signals.intake", "signals.manual", "signals.storing", "strategies.services",
    "trading.copying", "trading.execution", "trading.sync", "trading.switch", "trading.tasks",
    "trading.transition", "trading.leases", "trading.verification", "trading.key_checks",
    "trading.exchange",
    "accounts.services", "accounts.audit", "accounts.approvals",
)  # fmt: skip
CHANGES = {"save", "update", "create", "delete", "bulk_create", "bulk_update", "get_or_create",
           "update_or_create", "raw"}  # fmt: skip


def modules() -> list[Path]:
    return sorted([*FOLDER.glob("*.py"), FOLDER.parent / "templatetags" / "portal.py"])


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_module_of_the_portal_imports_what_writes() -> None:
    assert len(modules()) > 8
    for path in modules():
        bad = {n for n in imported(path) if n.startswith(tuple(f"{w}." for w in WRITERS))}
        bad |= imported(path) & set(WRITERS)
        assert bad == set(), path.name


def test_no_module_of_the_portal_calls_what_writes() -> None:
    for path in modules():
        calls = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert calls & CHANGES == set(), path.name


def test_tenant_rows_are_read_through_visible_to_only() -> None:
    """Instruments are nobody's; every other `objects` ends in `visible_to` or goes to one."""
    free = {"Instrument", "Membership"}
    for path in modules():
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Attribute) and node.attr == "objects"):
                continue
            name = node.value.id if isinstance(node.value, ast.Name) else "?"
            lines = "\n".join(text.splitlines()[node.lineno - 1 : node.lineno + 6])
            narrowed = ".visible_to(" in lines or "choice.rows(" in lines
            assert name in free or narrowed, (path.name, node.lineno)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_no_route_takes_another_method(portal: Portal, method: str) -> None:
    client = portal.client()
    with tenant_scope(portal.world.tenant):
        keys = {
            "order": portal.mine(Order).first().pk,
            "decision": portal.mine(Decision).first().pk,
        }
    before, refused = digest(portal.world.tenant), 0
    for route in urls.urlpatterns:
        name = str(route.name)
        if name == "welcome" or (name in MAY_POST and method == "post"):
            continue
        args = (keys[name],) if name in keys else ()
        response = getattr(client, method)(reverse(f"portal:{name}", args=args))
        assert response.status_code == 405, (name, method)
        refused += 1
    assert refused >= 8
    assert digest(portal.world.tenant) == before


@pytest.mark.django_db
def test_forms_without_their_token_are_refused(portal: Portal) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(portal.me)
    for name in MAY_POST - {"welcome", "login"}:
        assert client.post(reverse(f"portal:{name}")).status_code == 403, name
