"""Admin parts for rows that are written through services: forms, refusals, confirmations."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.template.response import TemplateResponse

from accounts.admin_base import TenantModelAdmin
from accounts.forms import TenantModelForm
from accounts.stepup import StepUpRequired, redirect_to_step_up


class ServiceForm(TenantModelForm):
    """A form that can say what a service refused, beside the field that was at fault."""

    refusal: ClassVar[ValidationError | None] = None
    field_of: ClassVar[dict[str, str]] = {}

    def _post_clean(self) -> None:
        super()._post_clean()
        if self.refusal is None:
            return
        if not hasattr(self.refusal, "error_dict"):
            self.add_error(None, self.refusal)
            return
        for name, errors in self.refusal.error_dict.items():
            field = self.field_of.get(name, name)
            self.add_error(field if field in self.fields else None, errors)


class ServiceAdmin(TenantModelAdmin):
    """Saving goes through services, which write the diary; a refusal comes back as a form error.

    `save_model` may raise ValidationError: the transaction is rolled back and the page is
    shown again with what was refused.
    """

    writes_diary = False
    compressed_fields = False
    form = ServiceForm

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ValidationError as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return form if refusal is None else type(form.__name__, (form,), {"refusal": refusal})


class PasswordAdminMixin:
    """Saving may raise StepUpRequired: nothing is saved then, and the password is asked for."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)  # type: ignore[misc]
        except StepUpRequired:
            return redirect_to_step_up(request)


def adopt(obj: Any, saved: Any) -> None:
    """Make the form's object the row that a service has written."""
    obj.__dict__.update(saved.__dict__)


def confirmed(request: HttpRequest) -> str | None:
    """The reason given on the confirmation page, or None while it was not shown yet."""
    return request.POST.get("reason", "").strip() if "confirmed" in request.POST else None


def confirm(  # noqa: PLR0913 - the parts of a page
    model_admin: Any,
    request: HttpRequest,
    queryset: Any,
    *,
    title: Any,
    consequences: list[Any],
    button: Any,
    danger: bool = False,
    ask_reason: bool = True,
) -> TemplateResponse:
    """A page that says what will happen, with numbers, before an action of a list does it."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "rows": list(queryset[:50]),
        "count": queryset.count(),
        "consequences": consequences,
        "button": button,
        "danger": danger,
        "ask_reason": ask_reason,
        "action": request.POST.get("action"),
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "checkbox": ACTION_CHECKBOX_NAME,
        "across": request.POST.get("select_across", "0"),
    }
    return TemplateResponse(request, "admin/confirm_action.html", context)
