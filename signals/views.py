"""The webhook doors: who calls, what do they say, and one answer."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from accounts.fields import hash_identity
from accounts.keyring import SecretUnreadable
from accounts.tenancy import tenant_scope
from signals import intake, webhooks
from signals.enums import Dialect, SignalStatus
from signals.models import SignalSource
from signals.parsing import ParseError, parse, redacted_raw
from signals.together import Delivery
from signals.writer import NotTaken, the_writer

logger = logging.getLogger(__name__)
RETRY_AFTER: Final = {"Retry-After": "1"}


@csrf_exempt
@require_POST
@sensitive_variables("body")
def signed_webhook(request: HttpRequest, source_uid: str) -> HttpResponse:
    """A call signed with the source's secret over timestamp, nonce and body."""
    now, body = timezone.now(), _read(request)
    if body is None:
        return _too_large()

    def who() -> tuple[SignalSource, str]:
        source, nonce = webhooks.source_of_signed(request, source_uid, body, now)
        return source, hash_identity(nonce)

    return _answer_to(request, Delivery(who, partial(_judge, body, now)))


@csrf_exempt
@require_POST
@sensitive_variables("body", "token")
def token_webhook(request: HttpRequest, token: str) -> HttpResponse:
    """A call of a sender that cannot set headers: the address and the body each hold a secret."""
    now, body = timezone.now(), _read(request)
    if body is None:
        return _too_large()

    def who() -> tuple[SignalSource, None]:
        return webhooks.source_of_token(token, body), None

    return _answer_to(request, Delivery(who, partial(_judge, body, now)))


def _answer_to(request: HttpRequest, delivery: Delivery) -> HttpResponse:
    """Store the call: with others where requests come at once, else in this thread."""
    take = the_writer().take if isinstance(request, ASGIRequest) else _take_alone
    try:
        return _answer(take(delivery))
    except (webhooks.NotAuthentic, intake.NonceReplayed):
        return _not_found()
    except intake.RateExceeded:
        return _too_many()
    except (DatabaseError, SecretUnreadable, NotTaken) as error:
        return _not_storable(error)


def _read(request: HttpRequest) -> bytes | None:
    """The body, or None when it is larger than anything we would read."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isascii() and declared.isdigit() and int(declared) > settings.WEBHOOK_MAX_BYTES:
        return None
    body = request.read(settings.WEBHOOK_MAX_BYTES + 1)
    return body if len(body) <= settings.WEBHOOK_MAX_BYTES else None


def _take_alone(delivery: Delivery) -> intake.Received:
    source, nonce_hash = delivery.who()
    with tenant_scope(source.tenant_id):
        return intake.store(delivery.judge(source, nonce_hash))


def _judge(
    body: bytes, now: datetime, source: SignalSource, nonce_hash: str | None
) -> intake.Judged:
    """What the call is to become. Runs in the scope of the source's desk."""
    raw = webhooks.without_own_secrets(source, redacted_raw(body))
    call = intake.Call(source, raw, now, nonce_hash)
    try:
        parsed = parse(Dialect(source.dialect), body)
        return intake.judge(call, parsed)
    except ParseError as error:
        return intake.judge_unreadable(call, error)


def _answer(received: intake.Received) -> HttpResponse:
    signal = received.signal
    told: dict[str, Any] = {"signal_id": str(signal.pk)}
    if received.duplicate:
        return JsonResponse(told | {"status": signal.status, "duplicate": True})
    if signal.status == SignalStatus.REFUSED:
        told = {"field": signal.refused_field, "reason": signal.reason_text} | told
        return JsonResponse(told, status=400)
    return JsonResponse(told | {"status": signal.status}, status=202)


def _not_found() -> HttpResponse:
    """One answer for every call that is not a source's, whatever is wrong with it."""
    return JsonResponse({"reason": "not found"}, status=404)


def _too_large() -> HttpResponse:
    return JsonResponse({"field": "body", "reason": "larger than 64 KiB"}, status=413)


def _too_many() -> HttpResponse:
    return JsonResponse({"reason": "too many signals"}, status=429, headers=RETRY_AFTER)


def _not_storable(error: Exception) -> HttpResponse:
    logger.error("A webhook could not be stored", exc_info=error)
    return JsonResponse({"reason": "not stored, send again"}, status=503, headers=RETRY_AFTER)
