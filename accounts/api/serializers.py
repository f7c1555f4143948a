"""Rows out and instructions in: decimals as plain text, unknown names refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.fields import ExactDecimalField
from accounts.strict_json import shown_key

DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,18})?")
REASON_LETTERS: Final = 300


class Figure(serializers.Field[Any, Any, Any, Any]):
    """An exact number: plain text out ("0.1"), text or a number in; never a float."""

    default_error_messages = {
        "invalid": _('A decimal number such as "0.1", with up to 20 and 18 digits.'),
        "least": _("At least %(least)s."),
    }

    def __init__(self, *, least: Decimal | None = None, **kwargs: Any) -> None:
        self.least = least
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        text = format(data, "f") if isinstance(data, Decimal) else data
        if not isinstance(text, str) or not DECIMAL.fullmatch(text):
            self.fail("invalid")
        number = Decimal(text)
        if self.least is not None and number < self.least:
            raise serializers.ValidationError(
                self.error_messages["least"] % {"least": self.least}, code="least"
            )
        return number

    def to_representation(self, value: Decimal) -> str:
        return plain(value)


def plain(value: Decimal) -> str:
    """Without exponent and trailing zeros."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


class Word(serializers.CharField):
    """One of a closed set of words, told as it is stored."""

    def __init__(self, *, words: list[str], **kwargs: Any) -> None:
        self.words = words
        super().__init__(**kwargs)


class DeskSerializer(serializers.ModelSerializer[Any]):
    """A row as the API tells it. Name every field; its id is the public uid."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        ExactDecimalField: Figure,
    }

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        field, options = super().build_standard_field(field_name, model_field)
        if field is Figure:
            known = {"required", "allow_null", "read_only", "label", "help_text"}
            options = {name: value for name, value in options.items() if name in known}
        if model_field.choices:
            return Word, {"words": _words(model_field), "read_only": True}
        return field, options


def _words(model_field: Any) -> list[str]:
    """What may stand in this column, "" included where it may be empty."""
    words = [str(value) for value, _label in model_field.flatchoices]
    blank = [""] if model_field.blank and "" not in words else []
    return [*words, *blank]


class DeskInput(serializers.Serializer[Any]):
    """An instruction: whatever it does not know is refused by name, read-only names included."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"body": [_("A JSON object is needed.")]})
        known = {name for name, field in self.fields.items() if not field.read_only}
        unknown = [name for name in data if name not in known]
        if unknown:
            reason = [_("This field is not known.")]
            raise serializers.ValidationError({shown_key(str(name)): reason for name in unknown})
        self._refuse_long(data)
        return super().to_internal_value(data)

    def _refuse_long(self, data: Mapping[str, Any]) -> None:
        """As it was sent: blanks around it are cut off only afterwards."""
        for name, field in self.fields.items():
            text = data.get(name)
            most = getattr(field, "max_length", None)
            if most is not None and isinstance(text, str) and len(text) > most:
                told = field.error_messages["max_length"].format(max_length=most)
                raise serializers.ValidationError({name: [told]})


class Nothing(DeskInput):
    """No body, or an empty object."""


class ReasonInput(DeskInput):
    """Why something is done, for the diary."""

    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=REASON_LETTERS, default=""
    )


class RowField(serializers.Field[Any, Any, Any, Any]):
    """A row named by its uid in a body. A foreign row is refused as one that never was.

    `rows` is a callable taking the user, such as `Customer.objects.visible_to`.
    """

    default_error_messages = {"absent": _("There is no such row.")}
    looked_up_by: ClassVar[str] = "uid"

    def __init__(self, rows: Any, **kwargs: Any) -> None:
        self.rows = rows
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> models.Model:
        if not isinstance(data, str):
            self.fail("absent")
        rows = self.rows(self.context["request"].user)
        try:
            row: models.Model | None = rows.filter(**{self.looked_up_by: data}).first()
        except (DjangoValidationError, ValueError):
            row = None
        if row is None:
            self.fail("absent")
        return row

    def to_representation(self, value: Any) -> str:
        return str(getattr(value, self.looked_up_by))
