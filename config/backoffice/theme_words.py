"""What the theme says in English only: named here so that our translation takes it up."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _

THEME_WORDS: Final = (
    _("Add row"),
    _("Apply Filters"),
    _("Date from"),
    _("Date to"),
    _("Expand row"),
    _("Go back"),
    _("Loading more results..."),
    _("More actions"),
    _("No data"),
    _("No results found"),
    _("No results matching your query"),
    _("Reset filters"),
    _("Run"),
    _("Select action"),
    _("Select action to run"),
    _("Select all rows"),
    _("Select record"),
    _("Select value"),
    _("Submit"),
    _("This item will be deleted."),
    _("This page yielded into no results. Create a new item or reset your filters."),
    _("Toggle password visibility"),
    _("Type to search"),
)
