"""The webhook doors: what an authentic caller is told, and that nobody else is told anything."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tenancy import all_tenants, tenant_scope
from signals.models import Signal, SignalNonce, SignalSource
from signals.services import rotate_source_secret
from signals.webhooks import sign
from tests.factories import SECRET, make_instrument, make_source, set_price

pytestmark = [pytest.mark.django_db, pytest.mark.database]

TOKEN = "a-token-of-the-tests"
PAYLOAD = {
    "id": "alert-1",
    "instrument": "BTC-USDT-SWAP",
    "intent": "open",
    "direction": "long",
    "quantity": {"mode": "contracts", "value": 5},
}


@pytest.fixture
def source() -> SignalSource:
    make_instrument()
    set_price()
    return make_source(token=TOKEN)


@pytest.fixture
def http() -> Client:
    return Client(raise_request_exception=True)


def body_of(**changes: Any) -> bytes:
    return json.dumps({**PAYLOAD, **changes}).encode()


def headers(
    body: bytes,
    *,
    secret: str = SECRET,
    nonce: str = "",
    seconds: int = 0,
    timestamp: str = "",
    signature: str = "",
) -> dict[str, str]:
    nonce = nonce or uuid.uuid4().hex
    timestamp = timestamp or str(int((timezone.now() + timedelta(seconds=seconds)).timestamp()))
    return {
        "X-Copydesk-Timestamp": timestamp,
        "X-Copydesk-Nonce": nonce,
        "X-Copydesk-Signature": signature or sign(secret, timestamp, nonce, body),
    }


def call(http: Client, source: Any, body: bytes | None = None, **options: Any) -> Any:
    body = body_of() if body is None else body
    uid = source.uid if isinstance(source, SignalSource) else source
    given = options.pop("headers", None) or headers(body, **options)
    return http.post(f"/hooks/{uid}/", body, content_type="application/json", headers=given)


def stored() -> tuple[int, int]:
    with all_tenants("counting in a test"):
        return Signal.objects.count(), SignalNonce.objects.count()


def refused_count(source: SignalSource) -> int:
    with tenant_scope(source.tenant_id):
        return int(SignalSource.objects.get(pk=source.pk).refused_count)


def test_a_signed_call_is_accepted(
    http: Client, source: SignalSource, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = call(http, source)

    assert response.status_code == 202
    assert response.json().keys() == {"signal_id", "status"}
    assert response.json()["status"] == "accepted"
    with tenant_scope(source.tenant_id):
        signal = Signal.objects.get(pk=response.json()["signal_id"])
        assert signal.source == source
        assert SignalSource.objects.get(pk=source.pk).last_signal_at == signal.received_at


def test_a_retry_signed_anew_is_told_of_the_first(http: Client, source: SignalSource) -> None:
    first = call(http, source).json()
    response = call(http, source)

    assert response.status_code == 200
    assert response.json() == {**first, "duplicate": True}
    assert stored() == (1, 2)


def test_the_same_bytes_again_are_nobodys(http: Client, source: SignalSource) -> None:
    given = headers(body_of())
    call(http, source, headers=given)

    response = call(http, source, headers=given)

    assert response.status_code == 404
    assert stored() == (1, 1)


def test_an_invalid_payload_is_told_what_is_wrong(http: Client, source: SignalSource) -> None:
    response = call(http, source, body_of(direction="up"))

    assert response.status_code == 400
    assert response.json().keys() == {"field", "reason", "signal_id"}
    assert response.json()["field"] == "direction"
    with tenant_scope(source.tenant_id):
        signal = Signal.objects.get(pk=response.json()["signal_id"])
    assert (signal.status, signal.refused_field) == ("refused", "direction")
    assert stored() == (1, 1)
    assert call(http, source).status_code == 202, "the id is still free"


def test_the_nonce_of_a_refused_call_is_used_up(http: Client, source: SignalSource) -> None:
    body = body_of(direction="up")
    given = headers(body)
    call(http, source, body, headers=given)

    assert call(http, source, body, headers=given).status_code == 404
    assert stored() == (1, 1)


BAD_PAYLOADS = [
    ("malformed JSON", b'{"id": "a",', "body"),
    ("empty body", b"", "body"),
    ("a list", b"[]", "body"),
    ("invalid UTF-8", b'{"id": "\xff\xfe"}', "body"),
    ("deep JSON", b"[" * 30_000 + b"]" * 30_000, "body"),
    ("deep object", b'{"a":' * 5000 + b"1" + b"}" * 5000, "body"),
    ("not a number", body_of().replace(b"5}", b"NaN}"), "quantity.value"),
    ("infinity", body_of().replace(b"5}", b"-Infinity}"), "quantity.value"),
    ("a huge number", body_of().replace(b"5}", b"1e999999999}"), "quantity.value"),
    ("many digits", body_of().replace(b"5}", b"9" * 50_000 + b"}"), "quantity.value"),
    ("duplicate key", body_of().replace(b'{"id"', b'{"id": "b", "id"'), "id"),
    ("unknown instrument", body_of(instrument="DOGE-USDT-SWAP"), "instrument"),
    ("zero", body_of(quantity={"mode": "contracts", "value": 0}), "quantity.value"),
    ("negative", body_of(quantity={"mode": "contracts", "value": -1}), "quantity.value"),
    ("a boolean", body_of(quantity={"mode": "contracts", "value": True}), "quantity.value"),
    ("text for an object", body_of(quantity="5"), "quantity"),
    ("number for text", body_of(instrument=5), "instrument"),
    ("unknown mode", body_of(quantity={"mode": "lots", "value": 1}), "quantity.mode"),
    ("neither id nor time", body_of(id=None), "id"),
    ("a lone surrogate", body_of().replace(b"alert-1", rb"\ud800"), "id"),
    ("NUL in the id", body_of(id="a\x00b"), "id"),
    ("profit below a long", body_of(take_profit=1), "take_profit"),
    ("in the future", body_of(time="2199-01-01T00:00:00Z"), "time"),
    ("unknown field", body_of(**{"x" * 300: 1}), None),
    ("emoji", body_of(intent="🚀"), "intent"),
]


@pytest.mark.parametrize(
    ("body", "field"), [case[1:] for case in BAD_PAYLOADS], ids=[case[0] for case in BAD_PAYLOADS]
)
def test_bad_input_is_400_with_field_and_reason(
    http: Client, source: SignalSource, body: bytes, field: str | None
) -> None:
    response = call(http, source, body)

    assert response.status_code == 400, response.content
    answer = response.json()
    assert answer["reason"]
    assert field is None or answer["field"] == field
    assert stored() == (1, 1)


def strangers(source: SignalSource) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    body = body_of()
    good = headers(body)
    yield "wrong secret", source, {"secret": "wrong"}
    yield "signature of another body", source, {"headers": headers(b"{}")}
    yield "no prefix", source, {"signature": good["X-Copydesk-Signature"][3:]}
    yield "upper case", source, {"signature": good["X-Copydesk-Signature"].upper()}
    yield "empty signature", source, {"signature": "v1="}
    yield "stale", source, {"seconds": -302}
    yield "from the future", source, {"seconds": 302}
    yield "timestamp in words", source, {"timestamp": "now"}
    yield "timestamp in milliseconds", source, {"timestamp": "1790000000000"}
    yield "negative timestamp", source, {"timestamp": "-5"}
    yield "timestamp in other digits", source, {"timestamp": "\u0661\u0662\u0663"}
    yield "endless timestamp", source, {"timestamp": "9" * 5000}
    yield "short nonce", source, {"nonce": "1234567"}
    yield "long nonce", source, {"nonce": "n" * 129}
    yield "spaces in the nonce", source, {"nonce": "not  printable"}
    yield "non-ASCII nonce", source, {"nonce": "nönce-nönce"}
    yield "twice the same header", source, {"signature": "v1=aa,v1=bb"}
    yield "no headers at all", source, {"headers": {"Accept": "*/*"}}
    yield "no nonce", source, {"headers": {**good, "X-Copydesk-Nonce": ""}}
    yield "unknown source", uuid.uuid4(), {}
    yield "no uuid", "not-a-uuid", {}
    yield "zero uuid", uuid.UUID(int=0), {}


def test_a_stranger_learns_nothing_and_leaves_nothing(http: Client, source: SignalSource) -> None:
    answers: dict[bytes, list[str]] = {}
    for name, target, options in strangers(source):
        response = call(http, target, **options)
        assert response.status_code == 404, name
        answers.setdefault(response.content, []).append(name)
        header_names = sorted(set(response.headers) - {"X-Request-ID"})
        assert header_names == sorted(set(call(http, uuid.uuid4()).headers) - {"X-Request-ID"}), (
            name
        )

    assert len(answers) == 1, answers
    assert stored() == (0, 0)
    known = [target for _, target, _ in strangers(source) if target is source]
    assert refused_count(source) == len(known)


def test_sources_without_a_secret_cannot_be_called(http: Client, source: SignalSource) -> None:
    manual = make_source(source.tenant, kind="manual", secret="")

    for secret in ("", "None", "••••"):
        assert call(http, manual, secret=secret).status_code == 404
    assert stored() == (0, 0)


def test_an_unknown_source_costs_as_many_queries_as_a_wrong_signature(
    http: Client, source: SignalSource
) -> None:
    with CaptureQueriesContext(connection) as known:
        call(http, source, secret="wrong")
    with CaptureQueriesContext(connection) as unknown:
        call(http, uuid.uuid4())

    assert len(known) == len(unknown)


def test_both_secrets_work_until_the_old_one_is_cleared(http: Client, source: SignalSource) -> None:
    with tenant_scope(source.tenant_id):
        new = rotate_source_secret(source=source, actor=None)

    assert call(http, source).status_code == 202
    assert call(http, source, body_of(id="b"), secret=new.secret).status_code == 202
    with tenant_scope(source.tenant_id):
        newest = rotate_source_secret(source=source, actor=None)
    assert call(http, source, body_of(id="c")).status_code == 404
    assert call(http, source, body_of(id="d"), secret=new.secret).status_code == 202
    assert call(http, source, body_of(id="e"), secret=newest.secret).status_code == 202


def test_a_disabled_source_is_told_so(http: Client, source: SignalSource) -> None:
    with tenant_scope(source.tenant_id):
        SignalSource.objects.filter(pk=source.pk).update(status="disabled")

    response = call(http, source)

    assert response.status_code == 400
    assert response.json()["field"] == "source"


def test_more_than_64_kib_is_413(http: Client, source: SignalSource) -> None:
    body = body_of(id="x" * 65_536)
    fits = b" " * (65_536 - len(body_of())) + body_of()

    assert call(http, source, body).status_code == 413
    assert call(http, uuid.uuid4(), body).status_code == 413
    assert stored() == (0, 0)
    assert call(http, source, fits).status_code == 202


def test_what_cannot_be_stored_is_503_and_uses_nothing_up(
    http: Client, source: SignalSource
) -> None:
    given = headers(body_of())

    with patch.object(Signal, "save", side_effect=OperationalError("database is locked")):
        response = call(http, source, headers=given)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert stored() == (0, 0)
    assert call(http, source, headers=given).status_code == 202


def test_too_many_new_signals_are_429(http: Client, source: SignalSource) -> None:
    with tenant_scope(source.tenant_id):
        SignalSource.objects.filter(pk=source.pk).update(rate_per_second=1)
    now = timezone.now()

    with patch("signals.views.timezone.now", return_value=now):
        assert call(http, source).status_code == 202
        response = call(http, source, body_of(id="b"))
        assert call(http, source).status_code == 200

    assert response.status_code == 429
    assert stored()[0] == 1


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "head"])
def test_only_post(http: Client, source: SignalSource, method: str) -> None:
    known = getattr(http, method)(f"/hooks/{source.uid}/")
    unknown = getattr(http, method)(f"/hooks/{uuid.uuid4()}/")

    assert (known.status_code, known.content) == (405, unknown.content)


def test_secrets_in_a_payload_are_not_stored(http: Client, source: SignalSource) -> None:
    call(http, source, body_of(api_key="the-senders-own"))

    with tenant_scope(source.tenant_id):
        assert "the-senders-own" not in Signal.objects.get().raw


def test_a_call_costs_few_queries(
    http: Client, source: SignalSource, django_capture_on_commit_callbacks: Any
) -> None:
    call(http, source, body_of(id="warm"))
    body = body_of(quantity={"mode": "notional", "value": 1000})

    with (
        CaptureQueriesContext(connection) as queries,
        django_capture_on_commit_callbacks(execute=True),
    ):
        assert call(http, source, body).status_code == 202

    control = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
    work = [query["sql"] for query in queries if not query["sql"].startswith(control)]
    assert len(work) <= 8, work


def by_token(http: Client, body: bytes, token: str = TOKEN) -> Any:
    return http.post(f"/hooks/t/{token}/", body, content_type="text/plain; charset=utf-8")


def test_a_token_and_the_secret_in_the_body_open_the_other_door(
    http: Client, source: SignalSource
) -> None:
    first = by_token(http, body_of(secret=SECRET))
    again = by_token(http, body_of(secret=SECRET))

    assert first.status_code == 202
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    with tenant_scope(source.tenant_id):
        assert SECRET not in Signal.objects.get().raw


def test_an_authentic_alert_is_told_what_is_wrong(http: Client, source: SignalSource) -> None:
    response = by_token(http, body_of(secret=SECRET, intent="hold"))

    assert (response.status_code, response.json()["field"]) == (400, "intent")


NOT_AUTHENTIC = [
    ("unknown token", "unknown-token", body_of(secret=SECRET)),
    ("token in capitals", TOKEN.upper(), body_of(secret=SECRET)),
    ("long token", "t" * 5000, body_of(secret=SECRET)),
    ("token not ASCII", "t%C3%B6ken", body_of(secret=SECRET)),
    ("no secret", TOKEN, body_of()),
    ("empty secret", TOKEN, body_of(secret="")),
    ("wrong secret", TOKEN, body_of(secret="wrong")),
    ("null secret", TOKEN, body_of(secret=None)),
    ("secret is a number", TOKEN, body_of(secret=5)),
    ("secret inside", TOKEN, body_of(secret={"a": SECRET})),
    ("secret not ASCII", TOKEN, body_of(secret="sécret")),
    ("malformed JSON", TOKEN, b"{"),
    ("empty body", TOKEN, b""),
    ("invalid UTF-8", TOKEN, b"\xff"),
    ("two secrets", TOKEN, b'{"secret": "wrong", "secret": "' + SECRET.encode() + b'"}'),
]


@pytest.mark.parametrize(
    ("token", "body"), [case[1:] for case in NOT_AUTHENTIC], ids=[case[0] for case in NOT_AUTHENTIC]
)
def test_a_stranger_at_the_token_door_learns_nothing(
    http: Client, source: SignalSource, token: str, body: bytes
) -> None:
    response = by_token(http, body, token)

    assert response.status_code == 404
    assert response.content == call(http, uuid.uuid4()).content
    assert stored() == (0, 0)
    assert refused_count(source) == (1 if token == TOKEN else 0)
