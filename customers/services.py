"""What is done to customers and their exchange accounts. Raises ValidationError by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.bulk_update import update_many
from accounts.enums import AuditLevel
from accounts.fields import fingerprint
from accounts.statuses import move_status
from accounts.tenancy import all_tenants, current_tenant_id
from customers.enums import (
    ACCOUNT_NEXT,
    CUSTOMER_NEXT,
    AccountStatus,
    CustomerStatus,
    KeyStatus,
    Market,
)
from customers.events import exchange_account_changed
from customers.models import Customer, ExchangeAccount
from customers.ports import copied_positions
from customers.used_keys import change_key, key_taken

if TYPE_CHECKING:
    from accounts.models import User

# A key is plain text of 36 characters at OKX; anything far longer was pasted by mistake.
KEY_LENGTH = 200


class CustomerTerms(TypedDict, total=False):
    """What may be said about a customer besides the name."""

    email: str
    phone: str
    portal_user: User | None
    notes: str
    initial_balance: Decimal | None
    max_leverage: Decimal | None


class AccountTerms(TypedDict, total=False):
    """What may be said about an exchange account besides whose it is and where."""

    api_host: str
    initial_balance: Decimal | None
    max_leverage: Decimal | None
    max_order_notional: Decimal | None
    max_daily_notional: Decimal | None
    max_open_positions: int | None


class OpeningTerms(AccountTerms, total=False):
    """What is known of an account from its first moment when the platform opens it."""

    uid: UUID
    position_mode: str
    paper_balances: dict[str, str]
    is_shadow: bool


@transaction.atomic
def create_customer(*, name: str, actor: User | None, **terms: Unpack[CustomerTerms]) -> Customer:
    """Add a customer to the desk whose scope is open."""
    tenant_id = current_tenant_id()  # None, with no desk at hand, is refused by full_clean
    customer = Customer(tenant_id=tenant_id, name=name.strip(), **terms)  # type: ignore[misc]
    customer.full_clean()
    customer.save()
    after = {"name": customer.name, "email": customer.email}
    audit.record(action="customer.created", obj=customer, after=after, actor=actor)
    return customer


def set_customer_status(
    *, customer: Customer, status: CustomerStatus, actor: User | None, reason: str = ""
) -> Customer:
    """Activate, deactivate or archive: only an active customer is traded for.

    Who holds copied positions is not archived: nobody would follow them to their end.
    """
    if status == CustomerStatus.ARCHIVED:
        accounts = ExchangeAccount.objects.filter(customer=customer)
        _must_hold_nothing(accounts.values_list("pk", flat=True))
    return move_status(
        customer, status, along=CUSTOMER_NEXT, kind="customer", actor=actor, reason=reason
    )


def archive_customer(*, customer: Customer, actor: User | None, reason: str = "") -> Customer:
    """Put a customer away. Nothing is deleted: orders and fills keep pointing here."""
    return set_customer_status(
        customer=customer, status=CustomerStatus.ARCHIVED, actor=actor, reason=reason
    )


@transaction.atomic
def create_exchange_account(
    *,
    customer: Customer,
    label: str,
    market: Market,
    actor: User | None,
    **terms: Unpack[OpeningTerms],
) -> ExchangeAccount:
    """Add an account without a key; `set_keys` gives it one."""
    account = ExchangeAccount(
        tenant_id=customer.tenant_id,
        customer=customer,
        label=label.strip(),
        market=market,
        **terms,
    )
    account.full_clean()
    account.save()
    after = {"label": account.label, "market": account.market, "customer": customer.name}
    audit.record(action="account.created", obj=account, after=after, actor=actor)
    return account


@transaction.atomic
def set_keys(
    *,
    account: ExchangeAccount,
    api_key: str,
    api_secret: str,
    passphrase: str,
    actor: User | None,
) -> ExchangeAccount:
    """Store a key and have it checked; nothing is traded before the check has ended well.

    Raises ValidationError by field: all three are needed, and a key is used once in the
    whole installation.
    """
    keys = clean_keys({"api_key": api_key, "api_secret": api_secret, "passphrase": passphrase})
    account = ExchangeAccount.objects.select_for_update().get(pk=account.pk)
    if account.is_paper and keys["api_key"] != account.paper_key:
        raise ValidationError({"api_key": _("The platform gave this simulated account its key.")})
    if account.status == AccountStatus.ARCHIVED:
        raise ValidationError({"api_key": _("The account is archived.")})
    before = {"key_last4": account.key_last4, "key_version": account.key_version}
    known_as = account.key_fingerprint
    for name, value in keys.items():
        setattr(account, name, value)
    account.key_fingerprint = fingerprint(keys["api_key"])
    account.key_last4 = keys["api_key"][-4:]
    _restart_check(account, KeyStatus.PENDING)
    _save_key(account, known_as)
    audit.record(
        action="account.keys_set",
        obj=account,
        before=before,
        after={"key_last4": account.key_last4, "key_version": account.key_version},
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    transaction.on_commit(
        partial(exchange_account_changed.send_robust, ExchangeAccount, account_id=account.pk)
    )
    return account


@transaction.atomic
def clear_keys(*, account: ExchangeAccount, actor: User | None) -> ExchangeAccount:
    """Forget an account's key, so that it may be used elsewhere."""
    account = ExchangeAccount.objects.select_for_update().get(pk=account.pk)
    before = {"key_last4": account.key_last4, "key_version": account.key_version}
    for name in ("api_key", "api_secret", "passphrase"):
        setattr(account, name, "")
    change_key(account.key_fingerprint, None)
    account.key_fingerprint, account.key_last4 = None, ""
    _restart_check(account, KeyStatus.MISSING)
    account.save()
    audit.record(
        action="account.keys_cleared",
        obj=account,
        before=before,
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    return account


@transaction.atomic
def recheck_keys(*, account: ExchangeAccount, actor: User | None) -> ExchangeAccount:
    """Ask for another check of the stored key. Nothing is traded until it has ended."""
    account = ExchangeAccount.objects.select_for_update().get(pk=account.pk)
    if account.key_status == KeyStatus.MISSING:
        raise ValidationError(_("The account has no key."))
    _restart_check(account, KeyStatus.PENDING)
    account.save()
    audit.record(action="account.keys_recheck", obj=account, actor=actor)
    transaction.on_commit(
        partial(exchange_account_changed.send_robust, ExchangeAccount, account_id=account.pk)
    )
    return account


def pause_account(*, account: ExchangeAccount, reason: str, actor: User | None) -> ExchangeAccount:
    """Stop trading on an account. Its socket stays: what it holds is still followed."""
    return set_account_status(
        account=account, status=AccountStatus.PAUSED, reason=reason, actor=actor
    )


@transaction.atomic
def pause_accounts(
    *, accounts: Iterable[ExchangeAccount], reasons: Mapping[int, str], actor: User | None
) -> None:
    """Pause those that are active, all in the same few statements; `reasons` by account.

    Repeating it changes nothing and writes nothing. The rows that are given stay as they are.
    """
    active = ExchangeAccount.objects.select_for_update().filter(
        pk__in=reasons, status=AccountStatus.ACTIVE
    )
    ids = set(active.order_by("pk").values_list("pk", flat=True))
    now = timezone.now()
    columns = ("status", "paused_reason", "updated_at")
    rows = [(pk, AccountStatus.PAUSED, reasons[pk][:300], now) for pk in ids]
    update_many(ExchangeAccount, rows, match=("id",), columns=columns)
    audit.record_many(
        audit.Note(
            action="account.paused",
            obj=account,
            before={"status": str(AccountStatus.ACTIVE)},
            after={"status": str(AccountStatus.PAUSED)},
            level=AuditLevel.NOTICE,
            reason=reasons[account.pk],
            actor=actor,
            tenant=account.tenant_id,
        )
        for account in accounts
        if account.pk in ids
    )


def resume_account(
    *, account: ExchangeAccount, actor: User | None, reason: str = ""
) -> ExchangeAccount:
    return set_account_status(
        account=account, status=AccountStatus.ACTIVE, reason=reason, actor=actor
    )


def set_account_status(
    *, account: ExchangeAccount, status: AccountStatus, actor: User | None, reason: str = ""
) -> ExchangeAccount:
    """Pause, resume or archive. Repeating it changes nothing and writes nothing."""
    if status == AccountStatus.ARCHIVED:
        _must_hold_nothing([account.pk])
    return move_status(
        account,
        status,
        along=ACCOUNT_NEXT,
        kind="account",
        actor=actor,
        reason=reason,
        columns={"paused_reason": reason[:300] if status == AccountStatus.PAUSED else ""},
    )


def _must_hold_nothing(account_ids: Iterable[int]) -> None:
    held = copied_positions().of_accounts(list(account_ids))
    if held:
        told = {"instruments": ", ".join(sorted(held))}
        words = _("Copied positions are still open: %(instruments)s. Stop what is followed first.")
        raise ValidationError({"status": words % told})


def clean_keys(keys: dict[str, str]) -> dict[str, str]:
    """The three parts of a key without what was pasted along. Raises ValidationError by field."""
    stripped = {name: value.strip() for name, value in keys.items()}
    errors = {}
    for name, value in stripped.items():
        if not value:
            errors[name] = _("This is needed.")
        elif len(value) > KEY_LENGTH or not value.isprintable():
            errors[name] = _("This is not what OKX gives out.")
    # They go into HTTP headers, where nothing but ASCII may stand.
    if not stripped["api_key"].isascii():
        errors["api_key"] = _("This is not what OKX gives out.")
    if errors:
        raise ValidationError(errors)
    return stripped


def _restart_check(account: ExchangeAccount, status: KeyStatus) -> None:
    """A higher version makes the result of a check that still runs worthless."""
    account.key_version += 1
    account.key_status = status
    account.key_reason = ""
    account.key_warnings = []
    account.key_permissions = []
    account.verified_at = None


def _save_key(account: ExchangeAccount, known_as: str | None) -> None:
    with all_tenants("a key is used once in the whole installation"):
        others = ExchangeAccount.objects.filter(key_fingerprint=account.key_fingerprint)
        if others.exclude(pk=account.pk).exists():
            raise key_taken()
    change_key(known_as, account.key_fingerprint)
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError as error:  # somebody else was faster
        raise key_taken() from error
