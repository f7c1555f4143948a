"""Paper accounts at the real simulator: opened, checked, funded, reset, and opened again."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import AuditEntry, Tenant
from accounts.tenancy import tenant_scope
from customers.enums import KeyStatus, Market, PositionMode
from customers.models import ExchangeAccount
from customers.services import recheck_keys, set_account_status, set_keys
from signals.models import LeaderPosition
from tests import factories as make
from tests.trading.sync.rows import BTC, fresh, make_order
from tests.trading.sync.venue import Venue
from trading import paper, tasks
from trading.enums import OrderState
from trading.events import account_touched
from trading.exchange.types import Side
from trading.models import Balance, Cycle, Position
from trading.paper import control
from trading.sync.market import load_instruments
from trading.sync.reconcile import reconcile_account

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
USDT = {"USDT": Decimal(10_000)}
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def desk(venue: Venue, settings: Any) -> Tenant:
    settings.SIMULATOR_CONTROL_URL = venue.control
    load_instruments("simulator")
    return make.make_tenant()


def opened(desk: Tenant, **terms: Any) -> ExchangeAccount:
    """A paper account whose key was checked."""
    customer = make.make_customer(desk)
    with tenant_scope(desk):
        terms = {"label": "paper", "balances": USDT, "actor": None} | terms
        account = paper.open_paper_account(customer=customer, **terms)
    tasks.verify_account(account.pk)
    return stored(account)


def stored(account: ExchangeAccount) -> ExchangeAccount:
    with tenant_scope(account.tenant_id):
        return ExchangeAccount.objects.get(pk=account.pk)


def equity(account: ExchangeAccount) -> Decimal:
    assert reconcile_account(account.pk, cause="test").ok
    with tenant_scope(account.tenant_id):
        return Decimal(Balance.objects.get(account=account, currency="USDT").equity)


def diary(account: ExchangeAccount) -> list[tuple[str, str]]:
    with tenant_scope(account.tenant_id):
        entries = AuditEntry.objects.filter(object_id=str(account.pk), action__contains="paper")
        return list(entries.order_by("at").values_list("action", "level"))


def lose(account: ExchangeAccount) -> None:
    """As if the simulator had begun with an empty ledger."""
    control.close(account.paper_key)


@pytest.mark.parametrize("mode", PositionMode)
def test_an_account_is_opened_with_a_key_of_ours(desk: Tenant, mode: PositionMode) -> None:
    account = opened(desk, position_mode=mode, balances={"USDT": Decimal("2500.5")})

    assert account.key_status == KeyStatus.VERIFIED
    assert (account.market, account.is_paper) == (Market.SIMULATOR, True)
    assert account.position_mode == mode
    assert account.paper_balances == {"USDT": "2500.5"}
    assert account.initial_balance == Decimal("2500.5")
    assert account.api_key is not None
    assert account.api_key.reveal() == account.paper_key
    assert equity(account) == Decimal("2500.5")
    assert diary(account) == []


@pytest.mark.parametrize(
    ("balances", "field"),
    [
        ({}, "balances"),
        ({"USDT": Decimal(0)}, "balances"),
        ({"USDT": Decimal(-1)}, "balances"),
        ({"USDT": Decimal("0.000000001")}, "balances"),
        ({"USDT": Decimal(10**13)}, "balances"),
        ({"USDT": Decimal("NaN")}, "balances"),
        ({"us dt": Decimal(1)}, "balances"),
    ],
)
def test_a_beginning_that_is_no_money_is_refused(
    desk: Tenant, balances: dict[str, Decimal], field: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        opened(desk, balances=balances)

    assert list(refusal.value.message_dict) == [field]
    with tenant_scope(desk):
        assert not ExchangeAccount.objects.exists()


def test_a_label_in_use_asks_the_simulator_for_nothing(desk: Tenant, venue: Venue) -> None:
    account = opened(desk)
    before = venue.look("/accounts")

    with tenant_scope(desk), pytest.raises(ValidationError):
        paper.open_paper_account(
            customer=account.customer, label=" paper ", balances=USDT, actor=None
        )

    assert venue.look("/accounts") == before


def test_a_row_that_cannot_be_stored_leaves_no_account_there(
    desk: Tenant, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = uuid.uuid4()
    make.make_account(make.make_customer(), api_key=f"paper-{taken.hex}")
    monkeypatch.setattr(ExchangeAccount._meta.get_field("uid"), "default", lambda: taken)
    monkeypatch.setattr(ExchangeAccount._meta.get_field("uid"), "_get_default", lambda: taken)

    with pytest.raises(ValidationError, match="already in use"):
        opened(desk)

    keys = [row["key"] for row in venue.look("/accounts")["accounts"]]
    assert f"paper-{taken.hex}" not in keys
    with tenant_scope(desk):
        assert not ExchangeAccount.objects.exists()


@pytest.mark.parametrize(
    ("address", "words"),
    [(NOBODY, "cannot be reached"), ("", "No simulator is configured")],
)
def test_without_the_simulator_nothing_is_done(
    desk: Tenant, settings: Any, address: str, words: str
) -> None:
    account = opened(desk)
    settings.SIMULATOR_CONTROL_URL = address

    with tenant_scope(desk):
        for act in (
            lambda: paper.open_paper_account(
                customer=account.customer, label="another", balances=USDT, actor=None
            ),
            lambda: paper.reset(account=account, balances=USDT, actor=None),
            lambda: paper.fund(account=account, currency="USDT", amount=Decimal(1), actor=None),
            lambda: paper.withdraw(account=account, currency="USDT", amount=Decimal(1), actor=None),
        ):
            with pytest.raises(ValidationError, match=words):
                act()
        assert ExchangeAccount.objects.count() == 1
    assert (diary(account), stored(account).initial_balance) == ([], 10_000)


def test_money_is_paid_in_and_out(desk: Tenant, django_capture_on_commit_callbacks: Any) -> None:
    account = opened(desk)
    heard: list[int] = []

    def hear(account_id: int, **_: Any) -> None:
        heard.append(account_id)

    account_touched.connect(hear)
    try:
        with tenant_scope(desk), django_capture_on_commit_callbacks(execute=True):
            paper.fund(account=account, currency="USDT", amount=Decimal("500.25"), actor=None)
            paper.withdraw(account=account, currency="USDT", amount=Decimal(100), actor=None)
    finally:
        account_touched.disconnect(hear)

    assert equity(account) == Decimal("10400.25")
    assert stored(account).initial_balance == Decimal("10400.25")
    assert heard == [account.pk, account.pk]
    assert diary(account) == [
        ("account.paper_funded", "notice"),
        ("account.paper_withdrawn", "notice"),
    ]


@pytest.mark.parametrize(
    ("currency", "amount", "field"),
    [
        ("USDT", "10000.01", "amount"),
        ("BTC", "0.1", "amount"),
        ("USDT", "0", "amount"),
        ("USDT", "-5", "amount"),
        ("usdt", "1", "currency"),
    ],
)
def test_what_is_not_there_cannot_be_taken_out(
    desk: Tenant, currency: str, amount: str, field: str
) -> None:
    account = opened(desk)

    with tenant_scope(desk), pytest.raises(ValidationError) as refusal:
        paper.withdraw(account=account, currency=currency, amount=Decimal(amount), actor=None)

    assert list(refusal.value.message_dict) == [field]
    assert (equity(account), diary(account)) == (10_000, [])


def test_a_reset_lets_the_account_begin_again(desk: Tenant, venue: Venue) -> None:
    account = opened(desk)
    filled = make_order(account)
    venue.place(account, filled)
    resting = make_order(account, quantity=Decimal(1), state=OrderState.LIVE)
    venue.place(account, resting, price=59_000)
    reconcile_account(account.pk, cause="test")
    cycle, lead = follow(account)

    with tenant_scope(desk):
        assert Position.objects.get(account=account).quantity == 3
        paper.reset(account=account, balances={"USDT": Decimal(700)}, actor=None, reason="again")

    assert fresh(resting).state == OrderState.CANCELED
    assert fresh(filled).state == OrderState.FILLED
    run = reconcile_account(account.pk, cause="test")
    assert (run.ok, run.drifts) == (True, [])
    assert equity(account) == 700
    with tenant_scope(desk):
        assert Position.objects.get(account=account).quantity == 0
        assert Cycle.objects.filter(pk=cycle.pk, ended_at=None).count() == 0
        assert LeaderPosition.objects.get(pk=lead.pk).quantity == 0
    row = stored(account)
    assert (row.paper_balances, row.initial_balance) == ({"USDT": "700"}, 700)
    assert diary(account) == [("account.paper_reset", "warning")]


def test_after_a_reset_the_account_trades_as_a_new_one(desk: Tenant, venue: Venue) -> None:
    account = opened(desk)
    venue.place(account, make_order(account))
    reconcile_account(account.pk, cause="test")
    with tenant_scope(desk):
        paper.reset(account=account, balances=USDT, actor=None)

    order = make_order(account, quantity=Decimal(2))
    venue.place(account, order)

    run = reconcile_account(account.pk, cause="test")
    assert all(row["exchange"] == row["ours"] for row in run.drifts)
    with tenant_scope(desk):
        assert Position.objects.get(account=account).quantity == 2


def test_others_accounts_are_neither_funded_nor_reset(desk: Tenant, venue: Venue) -> None:
    """Neither real ones nor those at the simulator whose key somebody typed."""
    typed = venue.open_account(customer=make.make_customer(desk))
    real = make.make_account(make.make_customer(desk), market=Market.LIVE_GLOBAL)
    archived = opened(desk)
    with tenant_scope(desk):
        set_account_status(account=archived, status="archived", actor=None)  # type: ignore[arg-type]
    before = venue.look("/accounts")

    for account in (typed, real, stored(archived)):
        with tenant_scope(desk):
            for act in (
                lambda a: paper.reset(account=a, balances=USDT, actor=None),
                lambda a: paper.fund(account=a, currency="USDT", amount=Decimal(1), actor=None),
                lambda a: paper.withdraw(account=a, currency="USDT", amount=Decimal(1), actor=None),
            ):
                with pytest.raises(ValidationError):
                    act(account)
        assert diary(account) == []

    assert venue.look("/accounts") == before


def test_a_paper_account_takes_no_other_key(desk: Tenant) -> None:
    account = opened(desk)

    with tenant_scope(desk), pytest.raises(ValidationError, match="gave this simulated account"):
        set_keys(account=account, api_key="another", api_secret="s", passphrase="p", actor=None)

    assert stored(account).key_version == account.key_version


def test_an_account_that_the_simulator_lost_is_opened_again(desk: Tenant, venue: Venue) -> None:
    account = opened(desk)
    venue.trade(account, "byHand1", Decimal(2), side=Side.SELL)
    reconcile_account(account.pk, cause="test")
    with tenant_scope(desk):
        paper.fund(account=account, currency="USDT", amount=Decimal(5), actor=None)
    lose(account)
    with tenant_scope(desk), pytest.raises(ValidationError, match="does not know this account"):
        paper.fund(account=account, currency="USDT", amount=Decimal(5), actor=None)

    with tenant_scope(desk):
        recheck_keys(account=account, actor=None)
    tasks.verify_pending()

    row = stored(account)
    assert (row.key_status, row.exchange_uid) == (KeyStatus.VERIFIED, account.exchange_uid)
    assert (equity(account), row.initial_balance) == (10_000, 10_000)
    with tenant_scope(desk):
        assert not Position.objects.open().exists()
    assert diary(account)[-1] == ("account.paper_reopened", "warning")


def test_what_the_simulator_still_has_stays_as_it_is(desk: Tenant) -> None:
    account = opened(desk)
    with tenant_scope(desk):
        paper.fund(account=account, currency="USDT", amount=Decimal(5), actor=None)
        recheck_keys(account=account, actor=None)

    tasks.verify_account(account.pk)

    assert (equity(account), stored(account).key_status) == (10_005, KeyStatus.VERIFIED)
    assert diary(account) == [("account.paper_funded", "notice")]


def test_while_the_simulator_is_away_the_key_waits(desk: Tenant, settings: Any) -> None:
    account = opened(desk)
    with tenant_scope(desk):
        recheck_keys(account=account, actor=None)
    control_url, settings.SIMULATOR_CONTROL_URL = settings.SIMULATOR_CONTROL_URL, NOBODY
    assert paper.ensure_opened([account.pk]) == 0
    settings.SIMULATOR_CONTROL_URL = control_url

    assert stored(account).key_status == KeyStatus.PENDING
    tasks.verify_pending()
    assert stored(account).key_status == KeyStatus.VERIFIED


def follow(account: ExchangeAccount) -> tuple[Cycle, LeaderPosition]:
    """A running cycle of the account, and what a person led it to by hand."""
    with tenant_scope(account.tenant_id):
        source = make.make_source(account.tenant, name="Led by hand")
        cycle = Cycle(
            link_uid=account.uid, source=source, account=account, inst_id=BTC, leader_inst_id=BTC,
            direction="long", unit="contracts", follower_base=3, leader_base=3,
            active_key=f"{account.pk}|{BTC}", opened_at=timezone.now(),
        )  # fmt: skip
        cycle.save()
        lead = LeaderPosition(
            source=source, scope_key=f"account:{account.pk}", inst_id=BTC, direction="long",
            quantity=3, updated_at=timezone.now(),
        )  # fmt: skip
        lead.save()
    return cycle, lead
