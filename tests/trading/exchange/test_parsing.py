"""OKX's rows read exactly, or refused by naming the field."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.exchange import rows
from trading.exchange.errors import MalformedReport
from trading.exchange.okx import parse
from trading.exchange.okx.pushes import PushReader
from trading.exchange.streams import Malformed
from trading.exchange.types import (
    InstrumentType,
    MarginMode,
    OrderState,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
)

PARSERS: list[Callable[[object], Any]] = [
    parse.parse_order,
    parse.parse_order_push,
    parse.parse_fill,
    parse.parse_position,
    parse.parse_balance,
    parse.parse_account_config,
    parse.parse_instrument,
    parse.parse_ticker,
    parse.parse_mark_price,
    parse.parse_leverage,
    parse.parse_time_ms,
]


def at(milliseconds: int) -> dt.datetime:
    seconds, rest = divmod(milliseconds, 1000)
    return dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=rest * 1000)


def test_an_order_asked_for() -> None:
    report = parse.parse_order(rows.order())

    assert report.inst_id == "BTC-USDT-SWAP"
    assert report.inst_type is InstrumentType.SWAP
    assert report.client_order_id == "q01abc"
    assert report.exchange_order_id == "680800019749904384"
    assert (report.state, report.side) == (OrderState.PARTIALLY_FILLED, Side.SELL)
    assert report.position_side is PositionSide.NET
    assert (report.margin_mode, report.order_type) == (MarginMode.CROSS, OrderType.LIMIT)
    assert (report.quantity, report.filled_quantity) == (Decimal("1.5"), Decimal("0.5"))
    assert (report.price, report.average_price) == (Decimal("51858.1"), Decimal(51859))
    assert (report.fee, report.fee_currency) == (Decimal("-0.1296475"), "USDT")
    assert report.leverage == Decimal(5)
    assert report.reduce_only is True
    assert report.created_at == at(1708587373361)
    assert report.updated_at == at(1708587373362)
    assert report.last_fill is None


def test_a_pushed_order_brings_its_fill_with_the_fills_own_fee_and_time() -> None:
    fill = parse.parse_order_push(rows.order_push()).last_fill

    assert fill is not None
    assert fill.trade_id == "744876980"
    assert (fill.quantity, fill.price) == (Decimal("0.2"), Decimal("51860.5"))
    assert (fill.fee, fill.fee_currency) == (Decimal("-0.05"), "USDT")
    assert fill.liquidity == "taker"
    assert fill.realized_pnl == Decimal("0.01")
    assert fill.filled_at == at(1708587373300)


@pytest.mark.parametrize("changes", [{"tradeId": ""}, {"fillSz": "0"}, {"fillSz": ""}])
def test_a_push_without_an_execution_brings_no_fill(changes: dict[str, str]) -> None:
    assert parse.parse_order_push(rows.order_push(**changes)).last_fill is None


def test_the_same_fill_is_the_same_on_both_paths() -> None:
    assert parse.parse_fill(rows.fill()) == parse.parse_order_push(rows.order_push()).last_fill


@pytest.mark.parametrize("wire", ["", "0", None])
def test_an_absent_average_price_is_none_on_every_path(wire: str | None) -> None:
    assert parse.parse_order(rows.order(avgPx=wire)).average_price is None


def test_the_oddities_of_orders() -> None:
    report = parse.parse_order(
        rows.order(px="", posSide="", lever="", fee="", reduceOnly="", tdMode="cash", ordType="mmp")
    )

    assert report.price is report.leverage is None
    assert report.position_side is PositionSide.NET
    assert report.fee == 0
    assert report.reduce_only is False
    assert report.order_type is OrderType.OTHER


def test_a_position_in_net_mode_is_signed() -> None:
    report = parse.parse_position(rows.position(pos="-1.5", posSide="net"))

    assert report.quantity == Decimal("-1.5")
    assert report.average_price == Decimal("2566.31")
    assert report.liquidation_price == Decimal("2352.8496681818233")
    assert report.initial_margin == 0
    assert report.margin_ratio == Decimal("11.731726509588816")


def test_a_closed_position_has_no_prices() -> None:
    report = parse.parse_position(
        rows.position(pos="0", avgPx="", liqPx="", lever="", mgnRatio="", markPx="", upl="")
    )

    assert report.quantity == report.unrealized_pnl == 0
    assert report.average_price is report.liquidation_price is report.margin_ratio is None


def test_a_balance() -> None:
    report = parse.parse_balance(rows.balance())

    (usdt,) = report.details
    assert report.total_equity_usd == Decimal("55837.43556134779")
    assert report.updated_at == at(1705474164160)
    assert (usdt.currency, usdt.cash) == ("USDT", Decimal("4850.435693622894"))
    assert (usdt.equity, usdt.available) == (
        Decimal("4992.890093622894"),
        Decimal("4834.317093622894"),
    )
    assert (usdt.frozen, usdt.unrealized_pnl) == (Decimal("158.573"), Decimal("-7.5456"))


def test_available_equity_stands_in_for_available_balance() -> None:
    row = rows.balance()
    row["details"][0]["availBal"] = ""

    assert parse.parse_balance(row).details[0].available == Decimal("4834.3170936228935")


@pytest.mark.parametrize(
    ("wire", "mode"), [("net_mode", PositionMode.NET), ("long_short_mode", PositionMode.LONG_SHORT)]
)
def test_an_account_configuration(wire: str, mode: PositionMode) -> None:
    report = parse.parse_account_config(rows.account_config(posMode=wire, ip="1.2.3.4, 5.6.7.8"))

    assert report.position_mode is mode
    assert report.permissions == {"read_only", "withdraw", "trade"}
    assert report.ip_bound == ("1.2.3.4", "5.6.7.8")
    assert report.account_level == "2"
    assert not report.is_sub_account


def test_a_key_bound_to_no_address() -> None:
    assert parse.parse_account_config(rows.account_config(ip="")).ip_bound == ()


def test_a_swap_and_a_spot_instrument() -> None:
    swap = parse.parse_instrument(rows.instrument())
    spot = parse.parse_instrument(
        rows.instrument(
            instType="SPOT", instId="BTC-USDT", ctType="", ctVal="", ctMult="", maxMktSz=""
        )
    )

    assert (swap.inst_id_code, swap.contract_value) == (10459, Decimal("0.01"))
    assert (swap.lot_size, swap.tick_size) == (Decimal("0.01"), Decimal("0.1"))
    assert (swap.contract_type, swap.max_leverage) == ("linear", Decimal(100))
    assert swap.listed_at == at(1573557408000)
    assert swap.expires_at is None
    assert spot.inst_type is InstrumentType.SPOT
    assert spot.contract_value is spot.contract_multiplier is spot.max_market_size is None


REFUSED: list[tuple[Callable[[object], Any], dict[str, Any], str]] = [
    (parse.parse_order, rows.order(instId=""), "instId"),
    (parse.parse_order, rows.order(ordId=None), "ordId"),
    (parse.parse_order, rows.order(ordId=5), "ordId"),
    (parse.parse_order, rows.order(ordId="1\n2"), "ordId"),
    (parse.parse_order, rows.order(ordId="\ud800"), "ordId"),
    (parse.parse_order, rows.order(clOrdId="x" * 200), "clOrdId"),
    (parse.parse_order, rows.order(state="exploded"), "state"),
    (parse.parse_order, rows.order(state=""), "state"),
    (parse.parse_order, rows.order(side=[]), "side"),
    (parse.parse_order, rows.order(posSide="up"), "posSide"),
    (parse.parse_order, rows.order(tdMode=""), "tdMode"),
    (parse.parse_order, rows.order(sz="-1"), "sz"),
    (parse.parse_order, rows.order(sz="NaN"), "sz"),
    (parse.parse_order, rows.order(sz="Infinity"), "sz"),
    (parse.parse_order, rows.order(sz="1_000"), "sz"),
    (parse.parse_order, rows.order(sz="١"), "sz"),
    (parse.parse_order, rows.order(sz="1e99"), "sz"),
    (parse.parse_order, rows.order(sz=1.5), "sz"),
    (parse.parse_order, rows.order(sz=""), "sz"),
    (parse.parse_order, rows.order(accFillSz="-0.1"), "accFillSz"),
    (parse.parse_order, rows.order(reduceOnly="maybe"), "reduceOnly"),
    (parse.parse_order, rows.order(uTime=""), "uTime"),
    (parse.parse_order, rows.order(uTime="-5"), "uTime"),
    (parse.parse_order, rows.order(cTime="99999999999999999"), "cTime"),
    (parse.parse_order_push, rows.order_push(fillTime=""), "fillTime"),
    (parse.parse_order_push, rows.order_push(fillPx="0"), "fillPx"),
    (parse.parse_order_push, rows.order_push(fillSz="-1"), "fillSz"),
    (parse.parse_order_push, rows.order_push(execType="X"), "execType"),
    (parse.parse_fill, rows.fill(tradeId=""), "tradeId"),
    (parse.parse_fill, rows.fill(fillSz="0"), "fillSz"),
    (parse.parse_position, rows.position(pos=""), "pos"),
    (parse.parse_position, rows.position(pos="-1", posSide="long"), "pos"),
    (parse.parse_position, rows.position(posSide=""), "posSide"),
    (parse.parse_position, rows.position(mgnMode="none"), "mgnMode"),
    (parse.parse_balance, rows.balance(details=None), "details"),
    (parse.parse_balance, rows.balance(details=["USDT"]), "details"),
    (parse.parse_balance, rows.balance(totalEq="lots"), "totalEq"),
    (parse.parse_account_config, rows.account_config(posMode="both"), "posMode"),
    (parse.parse_account_config, rows.account_config(uid=""), "uid"),
    (parse.parse_instrument, rows.instrument(lotSz="0"), "lotSz"),
    (parse.parse_instrument, rows.instrument(ctVal=""), "ctVal"),
    (parse.parse_instrument, rows.instrument(ctType="round"), "ctType"),
    (parse.parse_instrument, rows.instrument(instType="MOON"), "instType"),
    (parse.parse_instrument, rows.instrument(instIdCode=1.5), "instIdCode"),
    (parse.parse_mark_price, {"instId": "X", "markPx": "0", "ts": "1"}, "markPx"),
    (parse.parse_ticker, {"instId": "X", "last": "1"}, "ts"),
    (parse.parse_leverage, {"instId": "X", "mgnMode": "cross", "lever": ""}, "lever"),
    (parse.parse_time_ms, {"ts": "soon"}, "ts"),
]


@pytest.mark.parametrize(("parser", "row", "field"), REFUSED)
def test_what_cannot_be_read_is_refused_by_field(
    parser: Callable[[object], Any], row: dict[str, Any], field: str
) -> None:
    with pytest.raises(MalformedReport) as refusal:
        parser(row)

    assert refusal.value.field == field


@pytest.mark.parametrize("value", [None, [], "x", 1, 1.5, True])
@pytest.mark.parametrize("parser", PARSERS)
def test_only_objects_are_rows(parser: Callable[[object], Any], value: object) -> None:
    with pytest.raises(MalformedReport):
        parser(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
GOOD = [
    rows.order(),
    rows.order_push(),
    rows.fill(),
    rows.position(),
    rows.balance(),
    rows.account_config(),
    rows.instrument(),
]
WORDS = st.sampled_from(["", "0", "-1", "1e5", "NaN", "-Infinity", "1" * 40, "net", "true", "é"])


@st.composite
def damaged_rows(draw: st.DrawFn) -> dict[str, Any]:
    row = dict(draw(st.sampled_from(GOOD)))
    for field in draw(st.lists(st.sampled_from(sorted(row)), max_size=4)):
        row[field] = draw(JSON | WORDS)
    return row


@given(damaged_rows() | JSON)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    for parser in PARSERS:
        with contextlib.suppress(MalformedReport):
            parser(value)


@given(
    channel=st.sampled_from(["orders", "positions", "account", "tickers", "instruments", "x"]),
    data=st.lists(damaged_rows() | JSON, max_size=3) | JSON,
    extra=st.dictionaries(st.sampled_from(["eventType", "curPage", "lastPage"]), JSON | WORDS),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_pushed_gives_events(channel: str, data: Any, extra: dict[str, Any]) -> None:
    reader = PushReader()

    for event in reader.read({"arg": {"channel": channel}, "data": data, **extra}):
        assert len(event.excerpt) <= 500 if isinstance(event, Malformed) else True
