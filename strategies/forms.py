"""The forms of strategies and subscriptions: lists and terms by instrument, typed as words."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.forms import TenantModelForm
from customers.ports import copied_positions
from strategies.instrument_terms import as_lines, from_lines

# How an administrator types what is kept as JSON.
_EXAMPLE = "BTC-USDT-SWAP: follow_ratio 0.2, max_leverage 5\nDOGE-USDT-SWAP: allowed no"


_EMPTY = _("Empty takes the strategy's.")
# What a select sends for it: the text of a choice, and what a yes or no calls unknown.
_NOTHING = ("", None, "unknown")


class InstrumentsField(forms.CharField):
    """A list kept as JSON, typed as words: BTC-USDT-SWAP, ETH-USDT-SWAP."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return str(value or "").upper().replace(",", " ").split()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class InstrumentTermsField(forms.CharField):
    """Terms by instrument kept as JSON, typed as one line for each instrument."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return as_lines(value) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        try:
            return from_lines(str(value or ""))
        except ValueError as error:
            raise forms.ValidationError(
                _("Not understood: %(line)s"), params={"line": str(error)}
            ) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or {}) != from_lines(str(data or "")))
        except ValueError:
            return True


def _terms_field() -> InstrumentTermsField:
    field = InstrumentTermsField(
        label=_("Terms by instrument"),
        required=False,
        help_text=_(
            "One line for each of the leader's instruments: what counts there instead. Besides the "
            "amounts above: traded_as another instrument of the same coin, allowed yes or no."
        ),
    )
    field.widget.attrs |= {"rows": 4, "placeholder": _EXAMPLE, "spellcheck": "false"}
    return field


class StrategyForm(TenantModelForm):
    instruments = InstrumentsField(
        label=_("Instruments"),
        required=False,
        help_text=_("OKX instrument ids, separated by commas. Empty means all."),
    )
    denied_instruments = InstrumentsField(
        label=_("Never traded"),
        required=False,
        help_text=_("OKX instrument ids that are left out, whatever else is allowed."),
    )
    instrument_terms = _terms_field()


class SubscriptionForm(TenantModelForm):
    denied_instruments = InstrumentsField(
        label=_("Never traded"),
        required=False,
        help_text=_("OKX instrument ids that this account leaves out besides the strategy's."),
    )
    instrument_terms = _terms_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if field.help_text == _EMPTY:
                # Said once above, not under each of twenty fields.
                field.help_text = ""
                _name_the_empty_choice(field)


def _name_the_empty_choice(field: Any) -> None:
    widget = field.widget
    if not hasattr(widget, "choices"):
        return
    shown = [(value, label) for value, label in widget.choices if value not in _NOTHING]
    nothing = next((value for value, _label in widget.choices if value in _NOTHING), "")
    widget.choices = [(nothing, _("As the strategy")), *shown]


class SourceFormSet(BaseInlineFormSet):
    """A strategy's sources. One that led what followers still hold stays: nobody else closes it."""

    def clean(self) -> None:
        super().clean()
        for form in self.initial_forms:
            stays = not (form.has_changed() or form.cleaned_data.get("DELETE"))
            source = form.initial.get("source")  # none: not a row of this strategy, refused anyway
            if not stays and source and self._is_followed(source):
                words = _("Followers still hold what they copied. Stop their subscriptions first.")
                raise ValidationError(words)

    def _is_followed(self, source_id: int) -> bool:
        uids = list(self.instance.subscriptions.values_list("uid", flat=True))
        return bool(copied_positions().of_links(uids, source_id))
