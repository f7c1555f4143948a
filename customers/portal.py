"""Who may see a customer's portal. Raises ValidationError by field.

Two things are needed and kept together here: the customer names the user, and the user is a
member of the desk as a customer.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.enums import AuditLevel, Role
from accounts.models import Membership, Tenant, User
from accounts.passwords import welcome_tokens
from accounts.services import add_member, remove_member
from customers.enums import CustomerStatus
from customers.models import Customer

NOT_THIS_ONE: Final[Any] = _("This name cannot be given to a customer. Choose another one.")


@transaction.atomic
def grant_portal_access(*, customer: Customer, username: str, actor: User | None) -> User:
    """Let a user see this customer's portal; a new one without a password is made when needed.

    A user who exists is taken only while they are a customer and nothing else, at whichever
    desk: nobody's staff becomes a customer by this, and no right is lost.
    """
    customer = Customer.objects.select_for_update().get(pk=customer.pk)
    _check_open(customer)
    if customer.portal_user_id is not None:
        raise ValidationError({"username": _("This customer has a portal user already.")})
    user = _find_or_make(username.strip(), customer)
    add_member(user=user, tenant=Tenant.objects.get(pk=customer.tenant_id), role=Role.CUSTOMER)
    customer.portal_user = user
    customer.save(update_fields=["portal_user", "updated_at"])
    audit.record(
        action="customer.portal_granted",
        obj=customer,
        after={"user": user.get_username()},
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    return user


@transaction.atomic
def revoke_portal_access(*, customer: Customer, actor: User | None) -> Customer:
    """Close the portal to this customer's user at once. Repeating it changes nothing."""
    customer = Customer.objects.select_for_update().select_related("portal_user").get(
        pk=customer.pk
    )  # fmt: skip
    user = customer.portal_user
    if user is None:
        return customer
    customer.portal_user = None
    customer.save(update_fields=["portal_user", "updated_at"])
    if not Customer.objects.filter(portal_user=user).exists():
        membership = Membership.objects.filter(user=user, tenant_id=customer.tenant_id).first()
        if membership is not None and membership.role == Role.CUSTOMER:
            remove_member(membership=membership)
    audit.record(
        action="customer.portal_revoked",
        obj=customer,
        before={"user": user.get_username()},
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    return customer


@transaction.atomic
def welcome_token(*, customer: Customer, actor: User | None) -> str:
    """A new one-time token with which the portal user sets a password.

    Only for a user of this desk alone: whoever sets a password reads what that user reads,
    and another desk's rows are not this desk's to open.
    """
    _check_open(customer)
    user = customer.portal_user
    if user is None:
        raise ValidationError(_("This customer has no portal user."))
    if not may_be_welcomed(user, customer.tenant_id):
        raise ValidationError(
            _("This user works with another desk too and keeps the password they have.")
        )
    audit.record(
        action="customer.portal_link_made",
        obj=customer,
        after={"user": user.get_username()},
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    return welcome_tokens.make_token(user)


def may_be_welcomed(user: User, tenant_id: int) -> bool:
    """True for a customer of this desk who is nothing else anywhere."""
    if not user.is_active or user.is_superuser or user.is_staff:
        return False
    places = set(Membership.objects.filter(user=user).values_list("tenant_id", "role"))
    return places == {(tenant_id, str(Role.CUSTOMER))}


def _check_open(customer: Customer) -> None:
    if customer.status == CustomerStatus.ARCHIVED:
        raise ValidationError(_("The customer is archived. The portal stays closed."))


def _find_or_make(username: str, customer: Customer) -> User:
    user = User.objects.filter(username__iexact=username).first()
    if user is None:
        user = User(username=username, email=customer.email)
        user.set_unusable_password()
        _validated(user)
        user.save()
        return user
    roles = set(Membership.objects.filter(user=user).values_list("role", flat=True))
    if not user.is_active or user.is_superuser or user.is_staff or roles - {str(Role.CUSTOMER)}:
        raise ValidationError({"username": NOT_THIS_ONE})
    return user


def _validated(user: User) -> None:
    try:
        user.full_clean(exclude=["password", "email"])
    except ValidationError as error:
        texts = error.message_dict
        raise ValidationError({"username": texts.get("username") or NOT_THIS_ONE}) from error
