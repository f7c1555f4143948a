"""The back office's page about a customer's portal: who may enter it, and the one-time link."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.roles import Ability, may
from customers import portal
from customers.models import Customer


class GrantForm(forms.Form):
    """The name to sign in with."""

    username = forms.CharField(
        label=_("Name to sign in with"),
        max_length=150,
        help_text=_("A new one, or that of somebody who is a customer already."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


def portal_page(model_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """Show how the portal stands; grant it, make a link (shown once, here) or revoke it."""
    customer = model_admin.get_object(request, str(object_id))
    if customer is None or not model_admin.has_view_permission(request, customer):
        raise Http404
    manages = may(request, Ability.MANAGE_CUSTOMERS)
    if request.method == "POST" and not manages:
        raise PermissionDenied
    form = GrantForm(request.POST if request.POST.get("do") == "grant" else None)
    link = ""
    if request.method == "POST":
        try:
            link = _do(request, customer, form)
        except ValidationError as refusal:
            _say(request, form, refusal)
        else:
            if not link:
                return HttpResponseRedirect(request.path)
    customer.refresh_from_db()
    user = customer.portal_user
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Portal of %(customer)s") % {"customer": customer},
        "opts": model_admin.opts,
        "customer": customer,
        "form": form,
        "link": link,
        "manages": manages,
        "may_link": user is not None and portal.may_be_welcomed(user, customer.tenant_id),
        "has_password": user is not None and user.has_usable_password(),
    }
    return TemplateResponse(request, "admin/customers/customer/portal.html", context)


def _do(request: HttpRequest, customer: Customer, form: GrantForm) -> str:
    """What was asked for; returns the link when one was made."""
    actor: Any = request.user
    match request.POST.get("do"):
        case "grant" if form.is_valid():
            name = form.cleaned_data["username"]
            user = portal.grant_portal_access(customer=customer, username=name, actor=actor)
            customer.portal_user = user
            if user.has_usable_password():
                messages.success(request, _("They sign in with the password they have."))
                return ""
            return _link(request, customer)
        case "link":
            return _link(request, customer)
        case "revoke":
            portal.revoke_portal_access(customer=customer, actor=actor)
            messages.success(request, _("The portal is closed to them."))
            return ""
    raise ValidationError([])


def _link(request: HttpRequest, customer: Customer) -> str:
    token = portal.welcome_token(customer=customer, actor=request.user)  # type: ignore[arg-type]
    user = customer.portal_user
    assert user is not None  # noqa: S101 - a token is made for somebody
    return request.build_absolute_uri(reverse("portal:welcome", args=(user.uid, token)))


def _say(request: HttpRequest, form: GrantForm, refusal: ValidationError) -> None:
    for name, texts in getattr(refusal, "message_dict", {"": refusal.messages}).items():
        if name in form.fields and form.is_bound:
            form.add_error(name, texts)
        else:
            for text in texts:
                messages.error(request, text)
