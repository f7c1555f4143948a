"""Ids and identity hashes."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.fields import (
    fingerprint,
    first_uuid7,
    hash_identity,
    new_hex_of,
    uuid7,
    uuid7_pk,
)
from tests.accounts.library.models import Identity

VARIANTS = ["abc", "ABC", "abc ", " abc", "äbc", "a\u0308bc", "abc\u200b", ""]


@pytest.mark.django_db
@pytest.mark.database
def test_variants_that_a_collation_takes_for_one_stay_apart() -> None:
    for text in VARIANTS:
        Identity.objects.create(key=hash_identity(text))

    assert Identity.objects.count() == len(VARIANTS)
    assert Identity.objects.get(key=hash_identity("abc")).key == hash_identity("abc")
    with pytest.raises(IntegrityError), transaction.atomic():
        Identity.objects.create(key=hash_identity("ABC"))


def test_an_identity_is_lower_case_hex() -> None:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    assert hash_identity("abc") == expected


def test_uuid7_follows_time() -> None:
    made = [uuid7() for _ in range(1000)]

    assert all(isinstance(value, uuid.UUID) and value.version == 7 for value in made)
    assert sorted(made) == made
    assert len(set(made)) == 1000


def test_a_key_may_be_asked_for_by_its_time() -> None:
    moment = datetime(2026, 11, 26, 8, 0, 0, 123456, tzinfo=UTC)
    made = {uuid.UUID(new_hex_of(moment)) for _ in range(100)}

    assert len(made) == 100
    assert all(value.version == 7 for value in made)
    assert all(first_uuid7(moment) <= value for value in made)
    assert all(value < first_uuid7(moment + timedelta(milliseconds=1)) for value in made)


def test_the_first_uuid7_is_the_floor_of_what_is_made_from_then_on() -> None:
    now = datetime.now(UTC)

    assert first_uuid7(now - timedelta(milliseconds=2)) < uuid7()
    assert uuid7() < first_uuid7(now + timedelta(minutes=1))


def test_a_uuid7_key_is_made_by_the_application() -> None:
    field = uuid7_pk()
    _, path, _, kwargs = field.deconstruct()

    assert isinstance(field.get_default(), uuid.UUID)
    assert path == "accounts.fields.UUID7Field"
    assert "default" not in kwargs


def test_fingerprints_need_the_key(settings: pytest.FixtureRequest) -> None:
    settings.FINGERPRINT_KEY = "one"
    one = fingerprint("secret")
    settings.FIELD_KEYS = "t9:another-ring-altogether-0123456789"
    assert fingerprint("secret") == one
    settings.FINGERPRINT_KEY = "two"

    assert fingerprint("secret") != one
    assert len(one) == 64
