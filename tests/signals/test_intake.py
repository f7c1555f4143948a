"""A signal enters once, in normal form, or is refused with the field at fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.fields import hash_identity
from accounts.tenancy import tenant_scope
from signals import intake
from signals.enums import Direction, Intent, QuantityMode, SignalReason, SignalStatus, SourceKind
from signals.events import signal_accepted
from signals.intake import NonceReplayed, RateExceeded, receive_signal
from signals.models import LeaderPosition, Signal, SignalNonce, SignalSource
from signals.parsing import ParsedSignal, ParseError, Quantity
from tests.factories import make_account, make_customer, make_instrument, make_source, set_price

pytestmark = [pytest.mark.django_db, pytest.mark.database]
D = Decimal

OPEN = ParsedSignal(
    inst_id="BTC-USDT-SWAP",
    intent=Intent.OPEN,
    direction=Direction.LONG,
    external_id="alert-1",
    quantity=Quantity(QuantityMode.CONTRACTS, D(5)),
)


@pytest.fixture
def source() -> SignalSource:
    make_instrument()
    set_price(price=50_000)
    return make_source()


def receive(source: SignalSource, parsed: ParsedSignal = OPEN, **options: Any) -> intake.Received:
    options = {"raw": "{}", "received_at": timezone.now(), "nonce_hash": None} | options
    with tenant_scope(source.tenant_id):
        return receive_signal(source=source, parsed=parsed, **options)


def rows(source: SignalSource) -> list[Signal]:
    with tenant_scope(source.tenant_id):
        return list(Signal.objects.order_by("received_at", "id"))


def test_a_signal_is_stored_in_normal_form(source: SignalSource) -> None:
    now = timezone.now()

    received = receive(source, replace(OPEN, leverage=D(3)), raw='{"a": 1}', received_at=now)

    assert not received.duplicate
    (signal,) = rows(source)
    assert signal.pk == received.signal.pk
    assert (signal.status, signal.reason, signal.raw) == ("accepted", "", '{"a": 1}')
    assert (signal.inst_id, signal.intent, signal.direction) == ("BTC-USDT-SWAP", "open", "long")
    assert (signal.quantity, signal.unit, signal.leverage) == (D(5), "contracts", D(3))
    assert (signal.signal_at, signal.received_at, signal.expires_at) == (now, now, None)


def test_the_time_and_life_of_a_signal_are_the_senders(source: SignalSource) -> None:
    at = timezone.now() - timedelta(hours=3)

    receive(source, replace(OPEN, signal_at=at, ttl=timedelta(seconds=30)))

    (signal,) = rows(source)
    assert (signal.signal_at, signal.expires_at) == (at, at + timedelta(seconds=30))
    assert signal.status == SignalStatus.ACCEPTED


def test_an_accepted_signal_is_announced_on_commit(
    source: SignalSource, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[str] = []

    def hear(signal_id: str, **_: Any) -> None:
        heard.append(signal_id)

    signal_accepted.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            first = receive(source)
            receive(source)
            receive(source, replace(OPEN, external_id="b", inst_id="DOGE-USDT-SWAP"))
    finally:
        signal_accepted.disconnect(hear)

    assert heard == [str(first.signal.pk)]


def test_the_same_id_is_one_signal(
    source: SignalSource, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first = receive(source)
        again = receive(source, replace(OPEN, quantity=Quantity(QuantityMode.CONTRACTS, D(6))))

    assert again.duplicate
    assert again.signal.pk == first.signal.pk
    assert len(rows(source)) == 1
    with tenant_scope(source.tenant_id):
        assert SignalSource.objects.get(pk=source.pk).duplicate_count == 1


@pytest.mark.parametrize("other", ["ALERT-1", "alert-1 ", "älert-1", "alert-1\u200b"])
def test_ids_that_look_alike_are_different_signals(source: SignalSource, other: str) -> None:
    receive(source)

    assert not receive(source, replace(OPEN, external_id=other)).duplicate


def test_ids_are_of_one_source(source: SignalSource) -> None:
    other = make_source(source.tenant)
    receive(source)

    assert not receive(other).duplicate


def test_without_an_id_content_and_time_tell_signals_apart(source: SignalSource) -> None:
    at = timezone.now() - timedelta(seconds=2)
    bare = replace(OPEN, external_id="", signal_at=at)
    receive(source, bare)

    assert receive(source, bare).duplicate
    same = Quantity(QuantityMode.CONTRACTS, D("5.0"))
    assert receive(source, replace(bare, quantity=same)).duplicate
    assert not receive(source, replace(bare, signal_at=at + timedelta(seconds=1))).duplicate
    assert not receive(source, replace(bare, direction=Direction.SHORT)).duplicate
    assert not receive(source, replace(bare, ttl=timedelta(seconds=9))).duplicate


def test_neither_id_nor_time_is_never_merged_silently(source: SignalSource) -> None:
    with pytest.raises(ParseError, match="id"):
        receive(source, replace(OPEN, external_id="", signal_at=None))
    assert rows(source) == []


def test_a_refused_signal_leaves_its_id_free(source: SignalSource) -> None:
    unknown = replace(OPEN, inst_id="ETH-USDT-SWAP")

    refused = receive(source, unknown)
    make_instrument("ETH-USDT-SWAP")
    accepted = receive(source, unknown)

    assert refused.signal.status == SignalStatus.REFUSED
    assert (refused.signal.refused_field, refused.signal.dedupe_hash) == ("instrument", None)
    assert accepted.signal.status == SignalStatus.ACCEPTED
    assert len(rows(source)) == 2


def test_a_retry_that_would_be_refused_by_now_is_still_a_duplicate(source: SignalSource) -> None:
    first = receive(source)
    with tenant_scope(source.tenant_id):
        source.status = "disabled"
        source.save()

    again = receive(source)

    assert again.duplicate
    assert again.signal.pk == first.signal.pk


@pytest.mark.parametrize(
    ("parsed", "field", "reason"),
    [
        (replace(OPEN, inst_id="DOGE-USDT-SWAP"), "instrument", SignalReason.INVALID),
        (
            replace(OPEN, signal_at=datetime(2200, 1, 1, tzinfo=UTC)),
            "time",
            SignalReason.CLOCK_SKEW,
        ),
        (
            replace(OPEN, quantity=Quantity(QuantityMode.BASE, D(10) ** 19)),
            "quantity.value",
            SignalReason.INVALID,
        ),
        (
            replace(OPEN, quantity=Quantity(QuantityMode.NOTIONAL, D("1E-17"))),
            "quantity.value",
            SignalReason.INVALID,
        ),
    ],
)
def test_refusals_are_stored_and_name_the_field(
    source: SignalSource, parsed: ParsedSignal, field: str, reason: str
) -> None:
    received = receive(source, parsed)

    (signal,) = rows(source)
    assert signal.pk == received.signal.pk
    assert (signal.status, signal.refused_field, signal.reason) == ("refused", field, reason)
    assert signal.reason_text
    assert signal.dedupe_hash is None


def test_five_seconds_of_a_senders_clock_are_forgiven(source: SignalSource) -> None:
    now = timezone.now()
    early = replace(OPEN, signal_at=now + timedelta(seconds=5))
    too_early = replace(
        early, external_id="b", signal_at=now + timedelta(seconds=5, microseconds=1)
    )

    assert receive(source, early, received_at=now).signal.status == SignalStatus.ACCEPTED
    assert receive(source, too_early, received_at=now).signal.status == SignalStatus.REFUSED


def test_a_close_is_never_too_old(source: SignalSource) -> None:
    old = timezone.now() - timedelta(days=400)

    received = receive(source, replace(OPEN, intent=Intent.CLOSE, quantity=None, signal_at=old))

    assert received.signal.status == SignalStatus.ACCEPTED
    assert received.signal.quantity is None


def test_a_disabled_source_is_told_so(source: SignalSource) -> None:
    source.status = "disabled"

    signal = receive(source).signal

    assert (signal.status, signal.reason) == ("refused", SignalReason.SOURCE_DISABLED)


@pytest.mark.parametrize(
    ("inst_id", "mode", "value", "contracts"),
    [
        # 0.01 BTC per contract at 50,000
        ("BTC-USDT-SWAP", QuantityMode.CONTRACTS, "1.5", "1.5"),
        ("BTC-USDT-SWAP", QuantityMode.BASE, "0.25", "25"),
        ("BTC-USDT-SWAP", QuantityMode.NOTIONAL, "1000", "2"),
        # 100 USD per contract
        ("BTC-USD-SWAP", QuantityMode.CONTRACTS, "3", "3"),
        ("BTC-USD-SWAP", QuantityMode.BASE, "0.25", "125"),
        ("BTC-USD-SWAP", QuantityMode.NOTIONAL, "1000", "10"),
        # coins
        ("BTC-USDT", QuantityMode.CONTRACTS, "0.3", "0.3"),
        ("BTC-USDT", QuantityMode.BASE, "0.3", "0.3"),
        ("BTC-USDT", QuantityMode.NOTIONAL, "1000", "0.02"),
    ],
)
def test_quantities_become_contracts_at_the_mark_price(
    source: SignalSource, inst_id: str, mode: QuantityMode, value: str, contracts: str
) -> None:
    make_instrument(inst_id)
    set_price(inst_id, 50_000)

    signal = receive(
        source, replace(OPEN, inst_id=inst_id, quantity=Quantity(mode, D(value)))
    ).signal

    assert signal.status == SignalStatus.ACCEPTED, signal.reason_text
    assert (signal.quantity, signal.quantity_value) == (D(contracts), D(value))


def test_a_division_that_never_ends_is_rounded_down_once(source: SignalSource) -> None:
    quantity = Quantity(QuantityMode.NOTIONAL, D(1000))

    signal = receive(source, replace(OPEN, quantity=quantity, reference_price=D(30_000))).signal

    assert signal.quantity == D("3.333333333333333333")


def test_the_senders_price_comes_first(source: SignalSource) -> None:
    quantity = Quantity(QuantityMode.NOTIONAL, D(1000))

    signal = receive(source, replace(OPEN, quantity=quantity, reference_price=D(40_000))).signal

    assert (signal.quantity, signal.reference_price) == (D("2.5"), D(40_000))


@pytest.mark.parametrize("age", [None, 61])
def test_money_cannot_be_contracts_without_a_fresh_price(
    source: SignalSource, age: int | None
) -> None:
    make_instrument("SOL-USDT-SWAP")
    if age:
        set_price("SOL-USDT-SWAP", 100, at=timezone.now() - timedelta(seconds=age))
    parsed = replace(OPEN, inst_id="SOL-USDT-SWAP", quantity=Quantity(QuantityMode.NOTIONAL, D(10)))

    signal = receive(source, parsed).signal

    assert (signal.status, signal.refused_field) == ("refused", "reference_price")


def test_a_reduction_is_counted_by_an_old_price_rather_than_refused(source: SignalSource) -> None:
    set_price(price=50_000, at=timezone.now() - timedelta(hours=1))
    quantity = Quantity(QuantityMode.NOTIONAL, D(1000))

    signal = receive(source, replace(OPEN, intent=Intent.REDUCE, quantity=quantity)).signal

    assert (signal.status, signal.quantity) == (SignalStatus.ACCEPTED, D(2))


@pytest.mark.parametrize(
    "parsed",
    [replace(OPEN, direction=Direction.SHORT), replace(OPEN, intent=Intent.FLIP)],
    ids=["short", "flip"],
)
def test_spot_is_neither_short_nor_reversed(source: SignalSource, parsed: ParsedSignal) -> None:
    make_instrument("BTC-USDT")

    assert receive(source, replace(parsed, inst_id="BTC-USDT")).signal.status == "refused"


def test_a_percentage_of_equity_stays_one(source: SignalSource) -> None:
    quantity = Quantity(QuantityMode.PERCENT_EQUITY, D(10))

    signal = receive(source, replace(OPEN, quantity=quantity)).signal

    assert (signal.quantity, signal.unit) == (D(10), "percent_equity")


def leader_holds(source: SignalSource, quantity: int, unit: str) -> None:
    with tenant_scope(source.tenant_id):
        LeaderPosition.objects.create(
            source=source,
            inst_id="BTC-USDT-SWAP",
            direction=Direction.LONG,
            quantity=D(quantity),
            unit=unit,
            updated_at=timezone.now(),
        )


@pytest.mark.parametrize("intent", [Intent.OPEN, Intent.ADD, Intent.REDUCE, Intent.TARGET])
@pytest.mark.parametrize(
    ("running", "mode"),
    [
        ("contracts", QuantityMode.PERCENT_EQUITY),
        ("percent_equity", QuantityMode.CONTRACTS),
        ("percent_equity", QuantityMode.NOTIONAL),
    ],
)
def test_a_running_position_keeps_its_unit(
    source: SignalSource, intent: Intent, running: str, mode: QuantityMode
) -> None:
    leader_holds(source, 4, running)

    signal = receive(source, replace(OPEN, intent=intent, quantity=Quantity(mode, D(2)))).signal

    assert (signal.status, signal.refused_field) == ("refused", "quantity.mode")


@pytest.mark.parametrize(
    ("intent", "quantity"),
    [
        (Intent.REDUCE, Quantity(QuantityMode.PERCENT, D(50))),
        (Intent.CLOSE, None),
        (Intent.TARGET, Quantity(QuantityMode.CONTRACTS, D(0))),
    ],
)
def test_shrinking_and_closing_work_in_every_unit(
    source: SignalSource, intent: Intent, quantity: Quantity | None
) -> None:
    leader_holds(source, 4, "percent_equity")

    signal = receive(source, replace(OPEN, intent=intent, quantity=quantity)).signal

    assert signal.status == SignalStatus.ACCEPTED


def test_an_ended_position_binds_nobody(source: SignalSource) -> None:
    leader_holds(source, 0, "percent_equity")

    assert receive(source).signal.status == SignalStatus.ACCEPTED


def test_a_nonce_is_used_once_and_a_replay_stores_nothing(source: SignalSource) -> None:
    nonce = hash_identity("n" * 8)
    receive(source, nonce_hash=nonce)

    with pytest.raises(NonceReplayed):
        receive(source, replace(OPEN, external_id="other"), nonce_hash=nonce)

    assert len(rows(source)) == 1


def test_a_duplicate_uses_its_nonce_up_too(source: SignalSource) -> None:
    receive(source, nonce_hash=hash_identity("first"))
    assert receive(source, nonce_hash=hash_identity("second")).duplicate

    with pytest.raises(NonceReplayed):
        receive(source, nonce_hash=hash_identity("second"))


def test_old_nonces_are_forgotten(source: SignalSource) -> None:
    now = timezone.now()
    receive(source, nonce_hash="old", received_at=now - timedelta(seconds=601))
    receive(source, replace(OPEN, external_id="b"), nonce_hash="young")

    assert intake.prune_nonces(keep=timedelta(seconds=600)) == 1
    with tenant_scope(source.tenant_id):
        assert [each.nonce_hash for each in SignalNonce.objects.all()] == ["young"]


def test_only_new_signals_count_against_the_rate(source: SignalSource) -> None:
    now = timezone.now()
    with tenant_scope(source.tenant_id):
        source.rate_per_second = 2
        source.save()
    for name in ("alert-1", "alert-1", "alert-1", "alert-2"):
        receive(source, replace(OPEN, external_id=name), received_at=now)

    with pytest.raises(RateExceeded):
        receive(source, replace(OPEN, external_id="alert-3"), received_at=now)
    assert receive(source, received_at=now).duplicate
    later = now + timedelta(seconds=1)
    assert not receive(source, replace(OPEN, external_id="alert-3"), received_at=later).duplicate
    assert len(rows(source)) == 3


def test_the_desks_own_signals_never_wait(source: SignalSource) -> None:
    now = timezone.now()
    own = make_source(source.tenant, kind=SourceKind.SYSTEM, rate_per_second=1)

    for number in range(3):
        receive(own, replace(OPEN, external_id=str(number)), received_at=now)

    assert len(rows(own)) == 3


def test_an_account_brings_its_own_market(source: SignalSource) -> None:
    account = make_account(make_customer(source.tenant), market="demo")

    here = receive(source, account=account).signal
    make_instrument(market="demo")
    there = receive(source, account=account).signal

    assert (here.status, here.refused_field) == ("refused", "instrument")
    assert there.status == SignalStatus.ACCEPTED
    assert there.account_id == account.pk


SHORT = replace(OPEN, direction=Direction.SHORT)


@pytest.mark.parametrize(
    ("parsed", "field", "words"),
    [
        (replace(OPEN, stop_loss=D(50_001)), "stop_loss", "must be below the reference price"),
        (replace(OPEN, take_profit=D(50_000)), "take_profit", "must be above the reference price"),
        (replace(SHORT, stop_loss=D(49_999)), "stop_loss", "must be above the reference price"),
        (replace(SHORT, take_profit=D(50_001)), "take_profit", "must be below the reference price"),
        (
            replace(OPEN, stop_loss=D(45_000), reference_price=D(44_000)),
            "stop_loss",
            "must be below the reference price",
        ),
        (
            replace(
                OPEN,
                intent=Intent.TARGET,
                quantity=Quantity(QuantityMode.CONTRACTS, D(0)),
                stop_loss=D(1),
            ),
            "stop_loss",
            "not with a target of 0: nothing is left to protect",
        ),
    ],
)
def test_a_protection_on_the_wrong_side_is_refused_naming_its_field(
    source: SignalSource, parsed: ParsedSignal, field: str, words: str
) -> None:
    signal = receive(source, parsed).signal

    assert (signal.status, signal.refused_field, signal.reason_text) == ("refused", field, words)


def test_spot_cannot_be_protected(source: SignalSource) -> None:
    make_instrument("BTC-USDT", inst_type="SPOT")

    signal = receive(source, replace(OPEN, inst_id="BTC-USDT", stop_loss=D(1))).signal

    assert (signal.status, signal.refused_field) == ("refused", "stop_loss")
    assert signal.reason_text == "not possible on spot: nothing there ends with its position"


def test_without_any_price_the_two_are_measured_from_each_other(source: SignalSource) -> None:
    set_price(price=50_000, at=timezone.now() - timedelta(hours=1))

    crossed = receive(source, replace(OPEN, stop_loss=D(9), take_profit=D(8))).signal
    parsed = replace(OPEN, external_id="2", stop_loss=D(8), take_profit=D(9))
    taken = receive(source, parsed).signal

    assert (crossed.refused_field, crossed.reason_text) == (
        "stop_loss",
        "must be below the take profit",
    )
    assert (taken.status, taken.stop_loss, taken.take_profit) == ("accepted", D(8), D(9))


def test_a_protection_is_part_of_what_makes_two_deliveries_one(source: SignalSource) -> None:
    nameless = replace(OPEN, external_id="", signal_at=timezone.now())

    kinds = [
        receive(source, each).duplicate
        for each in (
            nameless,
            replace(nameless, stop_loss=D(40_000)),
            replace(nameless, take_profit=D(60_000)),
            replace(nameless, stop_loss=D(40_000)),
        )
    ]

    assert kinds == [False, False, False, True]
