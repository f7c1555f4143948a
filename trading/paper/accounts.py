"""Opening, funding and resetting paper accounts.

The simulator is asked first and outside any transaction; what it did is then written down
with a diary line. Everything raises ValidationError, by field where a field is at fault.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.enums import AuditLevel
from customers.enums import AccountStatus, Market, PositionMode
from customers.models import Customer, ExchangeAccount
from customers.services import AccountTerms, OpeningTerms, create_exchange_account, set_keys
from trading.events import account_touched
from trading.leases import db_now
from trading.paper import control
from trading.paper.books import start_over
from trading.transition import retried

if TYPE_CHECKING:
    from accounts.models import User

CURRENCY: Final = re.compile(r"[A-Z0-9]{1,12}", re.ASCII)
LARGEST: Final = Decimal(10) ** 12
PLACES: Final = 8
USDT: Final = "USDT"


def open_paper_account(
    *,
    customer: Customer,
    label: str,
    balances: Mapping[str, Decimal],
    actor: User | None,
    position_mode: PositionMode = PositionMode.NET,
    is_shadow: bool = False,
    **terms: Unpack[AccountTerms],
) -> ExchangeAccount:
    """Open an account at the simulator with a key of our making, and have the key checked.

    When the simulator cannot be asked or the row is refused, neither side has an account.
    """
    texts = clean_balances(balances)
    draft = ExchangeAccount(
        tenant_id=customer.tenant_id,
        customer=customer,
        label=label.strip(),
        market=Market.SIMULATOR,
        position_mode=position_mode,
        paper_balances=texts,
    )
    draft.full_clean()
    keys = {
        "api_key": draft.paper_key,
        "api_secret": secrets.token_hex(16).upper(),
        "passphrase": secrets.token_urlsafe(16),
    }
    control.open_account(
        key=keys["api_key"],
        secret=keys["api_secret"],
        passphrase=keys["passphrase"],
        balances=texts,
        position_mode=position_mode,
    )
    known: OpeningTerms = {
        **terms,
        "uid": draft.uid,
        "position_mode": position_mode,
        "paper_balances": texts,
        "is_shadow": is_shadow,
    }
    try:
        return _store(customer, draft.label, keys, known, actor)
    except Exception:
        with contextlib.suppress(control.SimulatorError):
            control.close(draft.paper_key)
        raise


@transaction.atomic
def _store(
    customer: Customer, label: str, keys: Mapping[str, str], terms: OpeningTerms, actor: User | None
) -> ExchangeAccount:
    account = create_exchange_account(
        customer=customer, label=label, market=Market.SIMULATOR, actor=actor, **terms
    )
    return set_keys(account=account, actor=actor, **keys)


def reset(
    *,
    account: ExchangeAccount,
    balances: Mapping[str, Decimal],
    actor: User | None,
    reason: str = "",
) -> None:
    """Let the account begin again: no orders, no positions, these balances. May be repeated."""
    texts = clean_balances(balances)
    _must_be_paper(account)
    since = db_now()
    control.reset(account.paper_key, texts)
    start_over(
        account_id=account.pk,
        action="account.paper_reset",
        since=since,
        balances=texts,
        actor=actor,
        reason=reason,
    )


def fund(*, account: ExchangeAccount, currency: str, amount: Decimal, actor: User | None) -> None:
    """Pay play money in."""
    _pay(account, currency, _clean_amount(amount), 1, actor)


def withdraw(
    *, account: ExchangeAccount, currency: str, amount: Decimal, actor: User | None
) -> None:
    """Take play money out; the simulator refuses what is not free."""
    _pay(account, currency, _clean_amount(amount), -1, actor)


def _pay(
    account: ExchangeAccount, currency: str, amount: Decimal, sign: int, actor: User | None
) -> None:
    if not CURRENCY.fullmatch(currency):
        raise ValidationError({"currency": _("A currency such as USDT is expected.")})
    _must_be_paper(account)
    write = partial(_write_payment, account.pk, currency, amount, sign, actor)
    try:
        control.deposit(account.paper_key, currency, amount * sign)
    except control.SimulatorSilentError:
        write(known=False)
        raise
    write(known=True)


@retried
@transaction.atomic
def _write_payment(
    account_id: int,
    currency: str,
    amount: Decimal,
    sign: int,
    actor: User | None,
    *,
    known: bool,
) -> None:
    account = ExchangeAccount.objects.select_for_update().get(pk=account_id)
    if known and currency == USDT and account.initial_balance is not None:
        # Or play money paid in would look like profit for ever.
        account.initial_balance += amount * sign
        account.save(update_fields=["initial_balance", "updated_at"])
    audit.record(
        action="account.paper_funded" if sign > 0 else "account.paper_withdrawn",
        obj=account,
        after={"currency": currency, "amount": f"{amount:f}"},
        level=AuditLevel.NOTICE if known else AuditLevel.WARNING,
        reason="" if known else "The simulator did not answer: it may or may not be paid.",
        actor=actor,
    )
    announce = partial(account_touched.send_robust, ExchangeAccount, account_id=account.pk)
    transaction.on_commit(announce)


def clean_balances(balances: Mapping[str, Decimal]) -> dict[str, str]:
    """Amounts as text by currency, without what is zero; at least one is needed."""
    for currency, amount in balances.items():
        if not CURRENCY.fullmatch(currency):
            raise ValidationError({"balances": _("A currency such as USDT is expected.")})
        if amount:
            _clean_amount(amount, "balances")
    texts = {currency: f"{amount:f}" for currency, amount in balances.items() if amount}
    if not texts:
        raise ValidationError({"balances": _("An account begins with some money.")})
    return texts


def _clean_amount(amount: Decimal, field: str = "amount") -> Decimal:
    if not amount.is_finite() or not 0 < amount <= LARGEST:
        raise ValidationError({field: _("An amount above zero and up to 10^12 is expected.")})
    if amount != round(amount, PLACES):
        raise ValidationError({field: _("At most 8 decimals are expected.")})
    return amount


def _must_be_paper(account: ExchangeAccount) -> None:
    if not account.is_paper:
        raise ValidationError(_("Only a simulated account of the platform's can do this."))
    if account.status == AccountStatus.ARCHIVED:
        raise ValidationError(_("The account is archived."))
