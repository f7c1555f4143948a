"""Read-only pages of the tables that belong to no desk."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest

from accounts.admin_base import RecordAdmin
from accounts.roles import Ability, may


class GlobalRecordAdmin(RecordAdmin):
    """Shared rows that hold nobody's data: every staff member reads them, nobody writes."""

    form = forms.ModelForm  # type: ignore[assignment]

    def get_queryset(self, request: HttpRequest) -> Any:
        return self.model._default_manager.order_by(*self.get_ordering(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser) or may(request, Ability.VIEW_DESK)
