"""People of both desks, by role, signed in."""

from __future__ import annotations

from django.test import Client

from accounts.enums import Role
from accounts.models import Membership, Tenant, User

PASSWORD = "correct horse battery"


def make_user(name: str, **values: object) -> User:
    return User.objects.create_user(name, password=PASSWORD, **values)


def make_member(tenant: Tenant, role: Role | str, name: str | None = None) -> User:
    user = make_user(name or f"{tenant.slug}-{role}", is_staff=True)
    Membership.objects.create(user=user, tenant=tenant, role=role)
    return user


def signed_in(user: User, **session: object) -> Client:
    client = Client()
    client.force_login(user)
    if session:
        stored = client.session
        stored.update(session)
        stored.save()
    return client
