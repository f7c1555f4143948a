"""Columns every room needs: ordered ids, exact decimals, identity hashes, sealed secrets."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from decimal import Context as DecimalContext
from typing import Any

import uuid_utils
from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from django_cryptography.fields import EncryptedMixin
from uuid_utils.compat import uuid7

from accounts.forms import SecretFormField
from accounts.keyring import fingerprint
from accounts.sealed import Context, Secret, SecretMoved

__all__ = [
    "EncryptedTextField",
    "ExactDecimalField",
    "Secret",
    "SecretMoved",
    "UUID7Field",
    "fingerprint",
    "first_uuid7",
    "hash_identity",
    "new_hex",
    "new_hex_of",
    "register_decimal_collation",
    "uid_field",
    "uuid7",
    "uuid7_pk",
]

_WIDE = DecimalContext(prec=120, rounding=ROUND_HALF_EVEN)


def first_uuid7(at: datetime) -> uuid.UUID:
    """The smallest `uuid7` of this moment: their order is that of time."""
    milliseconds = int(at.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)


def new_hex() -> str:
    """A new key for a row, as databases take it: a `uuid7` as 32 hex digits."""
    return str(uuid_utils.uuid7().hex)


def new_hex_of(at: datetime) -> str:
    """The same as if made at this moment, to the millisecond."""
    return str(uuid_utils.uuid7(nanoseconds=int(at.timestamp() * 1000) * 1_000_000).hex)


def hash_identity(text: str) -> str:
    """Lower-case hex SHA-256: two texts share it only if they are the same code points."""
    return hashlib.sha256(text.encode()).hexdigest()


class UUID7Field(models.UUIDField):
    """A UUID made by the application, in order of time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", uuid7)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if kwargs.get("default") is uuid7:
            del kwargs["default"]
        return name, path, args, kwargs


def uuid7_pk() -> UUID7Field:
    """The primary key of rows written in bulk: known before the insert, ordered by time."""
    return UUID7Field(primary_key=True)


def uid_field() -> models.UUIDField[Any, Any]:
    """The random public id beside an autoincrement key."""
    return models.UUIDField(default=uuid.uuid4, unique=True, editable=False)


class ExactDecimalField(models.DecimalField):
    """A decimal that comes back as it went in, on every database.

    DECIMAL on MySQL; on SQLite text compared by a decimal collation, since its numbers are
    floats. Values are rounded half-even to the column's places, floats and NaN refused. SQL
    arithmetic (Sum, F) goes through floats on SQLite: do not use it where money must be exact.
    """

    def __init__(
        self,
        verbose_name: Any = None,
        name: Any = None,
        max_digits: int = 38,
        decimal_places: int = 18,
        **kwargs: Any,
    ) -> None:
        super().__init__(verbose_name, name, max_digits, decimal_places, **kwargs)

    def get_internal_type(self) -> str:
        return "ExactDecimalField"

    def db_type(self, connection: Any) -> str:
        if connection.vendor == "sqlite":
            return "text"
        return str(connection.data_types["DecimalField"] % self.db_type_parameters(connection))

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters: dict[str, Any] = {"type": self.db_type(connection), "check": None}
        if connection.vendor == "sqlite":
            parameters["collation"] = "decimal"
        return parameters

    def to_python(self, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, float):
            raise ValidationError("a float is not exact: use Decimal or text", code="float")
        try:
            number = Decimal(value)
        except (InvalidOperation, TypeError, ValueError) as error:
            message = self.error_messages["invalid"]
            raise ValidationError(message, code="invalid", params={"value": value}) from error
        if not number.is_finite():
            raise ValidationError(
                self.error_messages["invalid"], code="invalid", params={"value": value}
            )
        return number

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or hasattr(value, "as_sql"):
            return value
        number = self.to_python(value)
        rounded = number.quantize(Decimal(1).scaleb(-self.decimal_places), context=_WIDE)
        if len(rounded.as_tuple().digits) > self.max_digits:
            raise ValueError(f"{self.name}: {value} has more than {self.max_digits} digits")
        return format(_plain(rounded), "f")

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        if value is None:
            return None
        if isinstance(value, float):  # SQL arithmetic on SQLite
            value = Decimal(repr(value)).quantize(
                Decimal(1).scaleb(-self.decimal_places), context=_WIDE
            )
        return _plain(Decimal(value))

    def value_to_string(self, obj: models.Model) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else format(Decimal(value), "f")


def register_decimal_collation(sender: Any, connection: Any, **kwargs: Any) -> None:
    """Teach a new SQLite connection to order and compare the text of exact decimals."""
    if connection.vendor == "sqlite":
        connection.connection.create_collation("decimal", _compare_decimals)


def _compare_decimals(left: str, right: str) -> int:
    try:
        a, b = Decimal(left), Decimal(right)
    except InvalidOperation:
        return (left > right) - (left < right)
    return (a > b) - (a < b)


def _plain(number: Decimal) -> Decimal:
    """Without trailing zeros, and never in exponent notation."""
    number = number.normalize(_WIDE)
    if number.is_zero():
        return Decimal(0)
    exponent = number.as_tuple().exponent
    return number.quantize(Decimal(1), context=_WIDE) if int(exponent) > 0 else number


class SecretAttribute(DeferredAttribute):
    """Hands out the column as a `Secret` bound to its row; takes text or a Secret."""

    field: Any

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        value = super().__get__(instance, cls)
        if not isinstance(value, Secret):
            return value
        return value.on_row(self.field.context_of(instance))

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = self.field.as_secret(value)


class EncryptedTextField(EncryptedMixin, models.TextField):
    """Text encrypted for one row: loading never decrypts, and only `row.field.reveal()` reads.

    The model needs a `uid`, or a UUID as its primary key, made before the first save. Empty
    text means no secret; in forms a blank input keeps the stored one.
    """

    base_class = models.TextField
    wasinstance = True
    descriptor_class = SecretAttribute
    description = "Encrypted text"

    def deconstruct(self) -> Any:
        return models.TextField.deconstruct(self)

    def clone(self) -> Any:
        _, _, args, kwargs = self.deconstruct()
        return type(self)(*args, **kwargs)

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        return [*super().check(**kwargs), *self._check_row_id()]

    def _check_row_id(self) -> list[checks.CheckMessage]:
        names = {field.name for field in self.model._meta.concrete_fields}
        if "uid" in names or isinstance(self.model._meta.pk, models.UUIDField):
            return []
        message = "A model with an encrypted field needs a uid or a UUID primary key."
        return [checks.Error(message, obj=self, id="accounts.E010")]

    def context_of(self, instance: models.Model) -> Context:
        tenant = getattr(instance, "tenant_id", None)
        row: Any = getattr(instance, "uid", None) or instance.pk
        label = f"{instance._meta.label_lower}.{self.attname}"
        return Context("" if tenant is None else str(tenant), str(row).replace("-", ""), label)

    def as_secret(self, value: Any) -> Any:
        if value is None or isinstance(value, Secret) or hasattr(value, "resolve_expression"):
            return value
        if isinstance(value, (bytes, memoryview)):
            return Secret(sealed=bytes(value)) if value else None
        return Secret(plain=str(value)) if value else None

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        secret = getattr(model_instance, self.attname)
        if isinstance(secret, Secret):
            secret = secret.seal(self.context_of(model_instance))
            setattr(model_instance, self.attname, secret)
        return secret

    def get_prep_value(self, value: Any) -> Any:
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or value == "":
            return None if self.null else connection.Database.Binary(b"")
        if not isinstance(value, Secret) or value.sealed is None:
            raise TypeError(f"{self.name} is written by saving its row only")
        return connection.Database.Binary(value.sealed)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, *args: Any, **kwargs: Any) -> Secret | None:
        return Secret(sealed=bytes(value)) if value else None

    def to_python(self, value: Any) -> Any:
        """Text from a fixture is sealed already; other text is plain."""
        if isinstance(value, str) and value.startswith("sealed:"):
            return Secret(sealed=value.removeprefix("sealed:").encode())
        return self.as_secret(value)

    def value_to_string(self, obj: models.Model) -> str:
        secret = self.value_from_object(obj)
        if secret is None:
            return ""
        if secret.sealed is None:
            raise TypeError(f"{self.name} cannot be exported before its row is saved")
        return f"sealed:{secret.sealed.decode()}"

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        secret = self.to_python(value)
        self.validate(secret, model_instance)
        return secret

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        if data and not isinstance(data, Secret):
            setattr(instance, self.attname, data)

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        options = {
            "required": not self.blank,
            "label": self.verbose_name,
            "help_text": self.help_text,
        }
        kwargs.pop("widget", None)
        return SecretFormField(**{**options, **kwargs})
