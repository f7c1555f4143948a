"""Secrets typed into forms and posted to doors are found in no log, diary, page or text column."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, models
from django.test import Client
from django.urls import reverse

from accounts.enums import Role
from accounts.fields import EncryptedTextField
from accounts.models import AuditEntry
from accounts.redaction import without_secrets
from config.logging import RedactingFilter
from customers.models import ExchangeAccount
from signals.models import SignalSource
from signals.webhooks import sign
from tests import factories as make
from tests.isolation.attacks import page
from tests.isolation.worlds import Desks, product_models, signed_in, staff_client, unscoped

pytestmark = pytest.mark.django_db

KEY, API_SECRET, PASSPHRASE = (f"{word}-{uuid.uuid4().hex}" for word in ("k3y", "s3cret", "phr4se"))
WRONG = f"wrong-{uuid.uuid4().hex}"


class Everything(logging.Handler):
    """Every record of every logger as our handlers would write it, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.addFilter(RedactingFilter())
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        known = {k: v for k, v in record.__dict__.items() if k not in {"request", "args"}}
        self.texts.append(f"{logging.Formatter().format(record)} {known}")


@pytest.fixture
def logs() -> Iterator[Everything]:
    root, handler = logging.getLogger(), Everything()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


def columns() -> Iterator[tuple[str, str, str]]:
    """Every column of every table that holds text, ciphertext and password hashes left out."""
    for model in product_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, (models.CharField, models.TextField, models.JSONField)) and not (
                isinstance(field, EncryptedTextField) or field.name == "password"
            ):
                yield model._meta.label, model._meta.db_table, field.column
    for table, column in (
        ("django_session", "session_data"),
        ("django_admin_log", "change_message"),
        ("django_admin_log", "object_repr"),
    ):
        yield table, table, column


def kept(secrets: list[str]) -> list[str]:
    """The columns in which one of the secrets can be read."""
    found = []
    with connection.cursor() as cursor:
        for label, table, column in columns():
            for secret in secrets:
                quoted = connection.ops.quote_name
                cursor.execute(
                    f"SELECT COUNT(*) FROM {quoted(table)} WHERE {quoted(column)} LIKE %s",
                    [f"%{secret}%"],
                )
                if cursor.fetchone()[0]:
                    found.append(f"{label}.{column}")
    return found


def typed(desks: Desks, **changes: Any) -> dict[str, Any]:
    return {
        "customer": desks.a.customers[0].pk,
        "label": f"typed {uuid.uuid4().hex[:6]}",
        "market": "simulator",
        "new_api_key": KEY,
        "new_api_secret": API_SECRET,
        "new_passphrase": PASSPHRASE,
        **changes,
    }


def session(desks: Desks) -> tuple[list[Any], list[str]]:
    """What an owner does with secrets in an afternoon; the answers, and what was made."""
    client = staff_client(desks, Role.OWNER)
    add, made = page(ExchangeAccount, "add"), []
    answers = [
        client.post(add, typed(desks, label="")),  # a form with an error is shown again
        client.post(add, typed(desks)),
        client.post(add, typed(desks)),  # the key is in use already
        client.post(add, typed(desks, new_passphrase="")),
    ]
    account = unscoped(ExchangeAccount).latest("pk")
    answers += [
        client.post(page(ExchangeAccount, "change", account.pk), typed(desks, label="renamed")),
        client.get(page(ExchangeAccount, "change", account.pk)),
        client.get(page(ExchangeAccount, "key", account.pk)),
        client.get(page(ExchangeAccount, "changelist") + "?q=typed"),
        client.get(reverse("admin:accounts_auditentry_changelist")),
        client.get(reverse("admin:index")),
    ]
    for name in ("secret", "address"):
        shown = client.post(page(SignalSource, name, desks.a.sources[0].pk))
        assert "no-store" in shown["Cache-Control"]
        address = shown.context_data["address"].rstrip("/")
        made += [shown.context_data["secret"], address.rpartition("/")[2]]
    answers += [
        client.post(reverse("accounts:step_up"), {"password": WRONG}),
        client.post(reverse("admin:login"), {"username": "x", "password": WRONG}),
        signed_in(None).post(reverse("admin:login"), {"username": "x", "password": WRONG}),
    ]
    return answers, [word for word in made if word]


def calls(desks: Desks, secret: str, token: str) -> list[Any]:
    """What senders do with them: rightly, wrongly, and with the secret where it has no place."""
    client = Client(raise_request_exception=False)
    source = desks.a.sources[0]
    answers = []
    for changes in ({}, {"secret": secret}, {"note": secret}, {"quantity": {"mode": secret}}):
        terms = {
            "id": uuid.uuid4().hex,
            "instrument": "BTC-USDT-SWAP",
            "intent": "open",
            "direction": "long",
            "quantity": {"mode": "contracts", "value": 5},
            "secret": secret,
        }
        body = json.dumps(terms | changes).encode()
        at, nonce = str(int(time.time())), uuid.uuid4().hex
        headers = {
            "X-Copydesk-Timestamp": at,
            "X-Copydesk-Nonce": nonce,
            "X-Copydesk-Signature": sign(secret, at, nonce, body),
        }
        kind = "application/json"
        answers.append(
            client.post(f"/hooks/{source.uid}/", body, content_type=kind, headers=headers)
        )
        answers.append(client.post(f"/hooks/t/{token}/", body, content_type=kind))
        answers.append(client.post(f"/hooks/t/{token}/", b"{" + body, content_type=kind))
    return answers


def test_what_is_typed_is_kept_in_ciphertext_only(desks: Desks, logs: Everything) -> None:
    answers, made = session(desks)
    secrets = [KEY, API_SECRET, PASSPHRASE, WRONG, make.PASSWORD, make.SECRET, *made]

    assert {a.status_code for a in answers} <= {200, 302}
    assert unscoped(ExchangeAccount).filter(key_last4=KEY[-4:]).exists()
    for answer in answers:
        text = answer.content.decode() + str(answer.headers)
        assert not [s for s in secrets if s in text], answer.request["PATH_INFO"]
    assert logs.texts
    assert not [line for line in logs.texts if any(s in line for s in secrets)]
    assert kept(secrets) == []


def test_what_senders_post_is_kept_in_no_text(desks: Desks, logs: Everything) -> None:
    _, made = session(desks)
    secret, token = made

    answers = calls(desks, secret, token)

    assert 202 in {a.status_code for a in answers}
    for answer in answers:
        assert secret not in answer.content.decode() + str(answer.headers)
        assert token not in answer.content.decode() + str(answer.headers)
    assert not [line for line in logs.texts if secret in line or token in line]
    assert kept([secret, token]) == []


def test_a_secret_in_a_text_column_would_be_found(desks: Desks) -> None:
    entry = unscoped(AuditEntry).filter(tenant_id=desks.a.tenant.pk)
    entry.update(reason=f"somebody wrote {KEY} here")

    assert kept([KEY]) == ["accounts.AuditEntry.reason"]
    assert without_secrets({"api_secret": KEY}) != {"api_secret": KEY}
