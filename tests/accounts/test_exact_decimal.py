"""Exact decimals: what goes in comes back, and order and equality are those of numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.serializers import deserialize, serialize
from django.db import connection, transaction
from django.db.models import Max, Min
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.fields import ExactDecimalField
from tests.accounts.library.models import Amount

pytestmark = [pytest.mark.django_db, pytest.mark.database]

exact = st.decimals(
    min_value=Decimal("-99999999999999999999"),
    max_value=Decimal("99999999999999999999"),
    places=18,
    allow_nan=False,
    allow_infinity=False,
)
same_database = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def stored(value: object) -> Decimal:
    return Amount.objects.get(pk=Amount.objects.create(value=value).pk).value


@same_database
@given(value=exact)
def test_every_value_comes_back(value: Decimal) -> None:
    assert stored(value) == value


@same_database
@given(values=st.lists(exact, min_size=2, max_size=8))
def test_order_and_comparison_are_those_of_numbers(values: list[Decimal]) -> None:
    Amount.objects.all().delete()
    Amount.objects.bulk_create([Amount(value=value) for value in values])
    middle = sorted(values)[len(values) // 2]

    assert [a.value for a in Amount.objects.order_by("value")] == sorted(values)
    assert Amount.objects.filter(value__lt=middle).count() == sum(v < middle for v in values)
    assert Amount.objects.filter(value__gte=middle).count() == sum(v >= middle for v in values)
    assert Amount.objects.filter(value=middle).count() == values.count(middle)
    assert Amount.objects.filter(value__in=[middle]).count() == values.count(middle)
    bounds = Amount.objects.aggregate(low=Min("value"), high=Max("value"))
    assert bounds == {"low": min(values), "high": max(values)}


@pytest.mark.parametrize(
    ("given_value", "text"),
    [
        ("1.500000000000000000", "1.5"),
        ("100", "100"),
        ("1E+2", "100"),
        ("0E-18", "0"),
        ("-0.0", "0"),
        ("0.000000000000000001", "1E-18"),
        ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
        (3, "3"),
    ],
)
def test_values_come_back_without_trailing_zeros(given_value: object, text: str) -> None:
    assert str(stored(given_value)) == text


def test_what_does_not_fit_is_rounded_half_even_or_refused() -> None:
    assert stored(Decimal("0.0000000000000000015")) == Decimal("0.000000000000000002")
    assert stored(Decimal("0.0000000000000000025")) == Decimal("0.000000000000000002")
    with pytest.raises(ValueError, match="38 digits"):
        stored(Decimal(10) ** 20)


@pytest.mark.parametrize("wrong", [0.1, float("nan"), "NaN", "Infinity", "one", ""])
def test_floats_and_non_numbers_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError), transaction.atomic():
        Amount(value=wrong).save()
    assert Amount.objects.count() == 0


def test_two_spellings_are_one_number() -> None:
    Amount.objects.create(value="1.50")

    assert Amount.objects.filter(value=Decimal("1.5000")).exists()
    assert not Amount.objects.exclude(value="1.5").exists()
    assert Amount.objects.filter(value__range=("1.49", "1.51")).exists()


def test_a_fixture_keeps_the_value() -> None:
    value = Decimal("12345678901234567890.123456789012345678")
    amount = Amount.objects.create(value=value)

    text = serialize("json", [amount])
    [again] = deserialize("json", text)

    assert again.object.value == value


def test_the_column_survives_a_migration() -> None:
    field = ExactDecimalField(null=True)

    _, path, args, kwargs = field.clone().deconstruct()

    assert path == "accounts.fields.ExactDecimalField"
    assert kwargs == {"null": True, "max_digits": 38, "decimal_places": 18}
    assert not args
    assert field.db_parameters(connection)["type"] in {"text", "numeric(38, 18)"}
