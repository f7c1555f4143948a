"""One envelope around every answer, whatever was wrong with the call."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils.dateparse import parse_datetime

from customers.api.views import CustomerViewSet
from tests.api.calls import Program, Programs, told

pytestmark = pytest.mark.django_db


def test_what_was_asked_for_is_in_data(programs: Programs) -> None:
    uid = programs.world.customers[0].uid

    body = programs.reader.get(f"customers/{uid}").json()

    assert list(body) == ["code", "message", "data", "timestamp"]
    assert (body["code"], body["message"]) == (200, "OK")
    assert body["data"]["id"] == str(uid)
    assert parse_datetime(body["timestamp"]) is not None
    assert body["timestamp"].endswith("Z")


def assert_envelope(response: Any, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    assert list(body) == ["code", "message", "error", "timestamp"]
    assert body["code"] == status
    assert body["error"]["code"] == code
    assert body["message"]
    return body


@pytest.mark.parametrize(
    "address",
    ["/api/", "/api/v1/", "/api/v1/nothing", "/api/v2/customers", "/api/v1/customers/x/y/z"],
)
@pytest.mark.parametrize("method", ["get", "post", "delete", "options"])
def test_unknown_addresses(programs: Programs, address: str, method: str) -> None:
    response = programs.integrator.call(method, address)

    assert_envelope(response, 404, "not_found")


def test_an_address_without_the_slash_before_it_is_unknown_too() -> None:
    response = Client().get("/api", follow=True)

    assert_envelope(response, 404, "not_found")


@pytest.mark.parametrize("address", ["customers", "customers/", "strategies", "strategies/"])
def test_addresses_are_served_with_and_without_a_slash(programs: Programs, address: str) -> None:
    assert programs.reader.get(address).status_code == 200


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_methods_that_are_not_offered(programs: Programs, method: str) -> None:
    response = programs.integrator.call(method, "customers")

    assert_envelope(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD"


def test_a_post_to_what_only_reads(programs: Programs) -> None:
    assert_envelope(programs.integrator.post("customers"), 405, "method_not_allowed")


@pytest.mark.parametrize("wanted", ["text/html", "application/xml", "application/yaml"])
def test_only_json_is_spoken(programs: Programs, wanted: str) -> None:
    response = programs.reader.call("get", "customers", headers={"Accept": wanted})

    assert_envelope(response, 406, "not_acceptable")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_only_json_is_read(programs: Programs, kind: str) -> None:
    client = Client(headers={"Authorization": f"Bearer {programs.integrator.token}"})

    response = client.generic("POST", "/api/v1/signals", b"a=1", content_type=kind)

    assert_envelope(response, 415, "unsupported_media_type")


MALFORMED = [
    (b"{", "body", "not valid JSON"),
    (b"[]", "body", "must be a JSON object"),
    (b'"text"', "body", "must be a JSON object"),
    (b"\xff\xfe", "body", "not UTF-8"),
    (b'{"reason": "a", "reason": "b"}', "reason", "duplicate key"),
    (b'{"reason": NaN}', "reason", "not a number"),
    (b'{"reason": -Infinity}', "reason", "not a number"),
    (b'{"reason": 1e999}', "reason", "number out of bounds"),
    (b'{"a":' * 9 + b"1" + b"}" * 9, "body", "nested deeper than 8 levels"),
]


@pytest.mark.parametrize(("body", "field", "reason"), MALFORMED, ids=[b[0][:30] for b in MALFORMED])
def test_bodies_that_are_no_strict_json(
    programs: Programs, body: bytes, field: str, reason: str
) -> None:
    account = programs.world.accounts[0]
    address = f"/api/v1/accounts/{account.uid}/pause"
    client = Client(headers={"Authorization": f"Bearer {programs.integrator.token}"})

    response = client.generic("POST", address, body, content_type="application/json")

    assert_envelope(response, 400, "malformed")
    assert told(response)[2] == [(field, reason)]
    assert programs.reader.data(f"accounts/{account.uid}")["status"] == "active"


def test_a_body_beyond_64_kib(programs: Programs) -> None:
    response = programs.integrator.post("signals", {"id": "x" * 66_000})

    assert_envelope(response, 413, "too_large")


def test_a_missing_scope_is_named(programs: Programs) -> None:
    account = programs.world.accounts[0]

    response = programs.reader.post(f"accounts/{account.uid}/pause")

    body = assert_envelope(response, 403, "missing_scope")
    assert body["message"] == "This needs a token with the scope trade."


def test_no_token(programs: Programs) -> None:
    assert_envelope(Program().get("customers"), 401, "not_authenticated")


def test_our_own_fault_tells_nothing(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def fails(*args: Any) -> None:
        raise RuntimeError("the inner secret")

    settings.DEBUG = True
    monkeypatch.setattr(CustomerViewSet, "get_queryset", fails)

    response = programs.reader.get("customers")

    assert_envelope(response, 500, "server_error")
    assert "inner secret" not in response.content.decode()
    assert response["X-Request-ID"]


def test_a_database_that_is_away_asks_to_come_again(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any) -> None:
        raise OperationalError(2006, "gone away from db.internal")

    monkeypatch.setattr(CustomerViewSet, "get_queryset", fails)

    response = programs.reader.get("customers")

    assert_envelope(response, 503, "unavailable")
    assert response["Retry-After"] == "1"
    assert "db.internal" not in response.content.decode()


def test_a_foreign_host_is_refused_in_the_envelope(programs: Programs) -> None:
    response = programs.reader.call("get", "customers", headers={"Host": "evil.example"})

    assert_envelope(response, 400, "invalid")


def test_answers_are_closed_to_others(programs: Programs) -> None:
    response = programs.reader.call("get", "customers", headers={"Origin": "https://evil.example"})

    assert not [name for name in response.headers if name.startswith("Access-Control")]
    assert response["Cache-Control"] == "no-store"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert not response.cookies
    assert response["X-Request-ID"]
