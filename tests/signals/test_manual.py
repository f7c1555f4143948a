"""What people enter takes the road of every other signal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import AuditEntry, User
from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from signals.enums import Direction, Intent, QuantityMode, SignalStatus
from signals.manual import IdTakenError, enter_manual_signal
from signals.models import LeaderPosition, Signal
from signals.parsing import ParseError, Quantity
from signals.services import manual_source
from tests.factories import make_account, make_instrument, make_user, set_price
from trading.copying.run import copy_source

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def account() -> ExchangeAccount:
    make_instrument()
    set_price()
    return make_account()


@pytest.fixture
def trader(account: ExchangeAccount) -> User:
    return make_user("trader", tenant=account.tenant)


def enter(user: User, account: ExchangeAccount, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "instrument": "BTC-USDT-SWAP",
        "intent": Intent.OPEN,
        "direction": Direction.LONG,
        "quantity": Quantity(QuantityMode.NOTIONAL, Decimal(600)),
    }
    with tenant_scope(account.tenant_id):
        return enter_manual_signal(user=user, account=account, **(given | changes))


def test_a_manual_signal_acts_on_one_account(account: ExchangeAccount, trader: User) -> None:
    signal = enter(trader, account, leverage=Decimal(2)).signal

    assert signal.source == manual_source(account.tenant)
    assert (signal.account, signal.created_by) == (account, trader)
    assert (signal.quantity, signal.leverage) == (Decimal(1), Decimal(2))
    with tenant_scope(account.tenant_id):
        entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_id, entry.object_id) == (
        "signal.entered",
        trader.pk,
        str(signal.pk),
    )


def test_a_form_sent_twice_trades_once(account: ExchangeAccount, trader: User) -> None:
    first = enter(trader, account, external_id="form-1")
    again = enter(trader, account, external_id="form-1")

    assert again.duplicate
    assert again.signal.pk == first.signal.pk
    with tenant_scope(account.tenant_id):
        assert (Signal.objects.count(), AuditEntry.objects.count()) == (1, 1)


def test_what_is_taken_can_be_copied_and_holds_up_nobody(
    account: ExchangeAccount, trader: User
) -> None:
    most, far = Decimal(10) ** 16, Decimal(10) ** 19
    too_much = [Quantity(QuantityMode.CONTRACTS, value) for value in (most, far)]
    taken = Quantity(QuantityMode.CONTRACTS, most - Decimal("0.01"))

    for quantity in too_much:
        with pytest.raises(ParseError, match="too large"):
            enter(trader, account, quantity=quantity)
    signals = [
        enter(trader, account, quantity=taken, intent=intent).signal
        for intent in (Intent.OPEN, Intent.ADD, Intent.ADD)
    ]
    list(copy_source(signals[0].source_id))

    with tenant_scope(account.tenant_id):
        assert set(Signal.objects.values_list("status", flat=True)) == {SignalStatus.COPIED}
        leader = LeaderPosition.objects.get()
    assert leader.quantity == 3 * taken.value


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"instrument": "DOGE-USDT-SWAP"}, "instrument"),
        ({"instrument": "btc"}, "instrument"),
        ({"quantity": None}, "quantity"),
        ({"quantity": Quantity(QuantityMode.CONTRACTS, Decimal(0))}, "quantity.value"),
        ({"quantity": Quantity(QuantityMode.PERCENT, Decimal(50))}, "quantity.mode"),
        ({"leverage": Decimal(0)}, "leverage"),
    ],
)
def test_what_is_refused_leaves_nothing(
    account: ExchangeAccount, trader: User, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ParseError) as refusal:
        enter(trader, account, **changes)

    assert refusal.value.field == field
    with tenant_scope(account.tenant_id):
        assert (Signal.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_a_close_needs_no_quantity(account: ExchangeAccount, trader: User) -> None:
    assert enter(trader, account, intent=Intent.CLOSE, quantity=None).signal.status == "accepted"


def test_an_id_stands_for_one_instruction_however_its_numbers_are_spelled(
    account: ExchangeAccount, trader: User
) -> None:
    first = enter(trader, account, external_id="k", leverage=Decimal(2))

    again = enter(
        trader,
        account,
        external_id="k",
        leverage=Decimal("2.0"),
        quantity=Quantity(QuantityMode.NOTIONAL, Decimal("6E+2")),
    )

    assert again.duplicate
    assert again.signal == first.signal


def test_an_id_given_to_another_instruction_or_account_is_refused(
    account: ExchangeAccount, trader: User
) -> None:
    enter(trader, account, external_id="k")
    other = make_account(account.customer)

    for changes in ({"direction": Direction.SHORT}, {"account": other}):
        with pytest.raises(IdTakenError):
            enter(trader, **{"account": account, "external_id": "k"} | changes)

    with tenant_scope(account.tenant_id):
        assert Signal.objects.count() == AuditEntry.objects.count() == 1
        assert manual_source(account.tenant).duplicate_count == 0
