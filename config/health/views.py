"""The four addresses for machines, and the middleware that answers them before all else."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from accounts.addresses import client_ip, forwarded_ip
from config.health.checks import Finding, check_all
from config.health.remembered import Remembered

REMEMBERED_S: Final = 2.0


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer without touching a database, so that only a stuck process fails to."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether this process can serve: the database answers and knows every migration."""
    reason = unready.get()
    return HttpResponse(reason or "ok", content_type="text/plain", status=503 if reason else 200)


@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Whether the installation works, part by part; 503 when a part does not."""
    checks = findings.get()
    healthy = all(finding.is_healthy for finding in checks.values())
    told = {
        "status": "healthy" if healthy else "unhealthy",
        "checks": {
            name: {"status": f.status, "latency_ms": f.latency_ms, "detail": f.detail}
            for name, f in checks.items()
        },
    }
    return JsonResponse(told, status=200 if healthy else 503)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for Prometheus: to who has the token, without one to this machine only."""
    if not _may_read(request):
        status = 401 if settings.METRICS_TOKEN else 403
        refused = HttpResponse("not allowed\n", content_type="text/plain", status=status)
        if status == 401:  # noqa: PLR2004
            refused["WWW-Authenticate"] = "Bearer"
        return refused
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


PROBES: Final[dict[str, Callable[[HttpRequest], HttpResponse]]] = {
    "/livez": livez,
    "/readyz": readyz,
    "/health": health,
    "/metrics": metrics,
}


class ProbeMiddleware:
    """Answer machines here: they know no host name, have no session and must not need one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path)
        return self.get_response(request) if probe is None else probe(request)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        wanted = f"Bearer {settings.METRICS_TOKEN}"
        return hmac.compare_digest(given.encode(), wanted.encode())
    # A proxy on this machine calls from it, whoever stands behind it.
    forwarded = bool(request.headers.get("X-Forwarded-For"))
    address = forwarded_ip(request) if forwarded else client_ip(request)
    return address is not None and ip_address(address).is_loopback


def _why_unready() -> str:
    try:
        executor = MigrationExecutor(connection)
        plan: Any = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "the database does not answer"
    return "the database waits for migrations" if plan else ""


class _Readiness(Remembered[str]):
    """Migrations that were applied stay so; from then on only the database is asked."""

    def __init__(self) -> None:
        super().__init__(self._ask, REMEMBERED_S)
        self.migrated = False

    def _ask(self) -> str:
        if not self.migrated:
            reason = _why_unready()
            self.migrated = not reason
            return reason
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            return "the database does not answer"
        return ""


findings: Final[Remembered[dict[str, Finding]]] = Remembered(check_all, REMEMBERED_S)
unready: Final = _Readiness()
