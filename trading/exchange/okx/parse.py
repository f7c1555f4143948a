"""OKX rows into Reports. Pure; raises MalformedReport and nothing else; milliseconds end here."""

from __future__ import annotations

from trading.exchange.errors import MalformedReport
from trading.exchange.okx import fields
from trading.exchange.okx.fields import Row, as_row
from trading.exchange.okx.parse_algos import instrument_type, parse_protections
from trading.exchange.types import (
    AccountConfigReport,
    BalanceReport,
    CurrencyBalance,
    FillReport,
    InstrumentReport,
    LeverageReport,
    MarginMode,
    MarkPriceReport,
    OrderReport,
    OrderState,
    OrderType,
    PositionMode,
    PositionReport,
    PositionSide,
    Side,
    SystemStatusReport,
    TickerReport,
    TransferReport,
)

# Spot rows say "" or "net", depending on the path.
_POSITION_SIDES = {"": PositionSide.NET}
# Spot lead trading is spot trading to everybody but OKX.
_MARGIN_MODES = {"spot_isolated": MarginMode.CASH}
_POSITION_MODES = {"net_mode": PositionMode.NET, "long_short_mode": PositionMode.LONG_SHORT}
_LIQUIDITY = {"M": "maker", "T": "taker", "": ""}


def parse_order(row: object) -> OrderReport:
    """An order as REST tells it: what its last fill cost is not in there."""
    return _order(as_row(row), last_fill=None)


def parse_order_push(row: object) -> OrderReport:
    """An order as the private channel tells it, with the fill that caused the push, if one did."""
    fields_of = as_row(row)
    return _order(fields_of, last_fill=_pushed_fill(fields_of))


def parse_fill(row: object) -> FillReport:
    return _fill(as_row(row), fee="fee", fee_currency="feeCcy")


def parse_transfer(row: object) -> TransferReport:
    row = as_row(row)
    return TransferReport(
        currency=fields.required_text(row, "ccy"),
        amount=fields.decimal(row, "balChg"),
        at=fields.time(row, "ts"),
    )


def parse_position(row: object) -> PositionReport:
    row = as_row(row)
    position_side = fields.choice(row, "posSide", PositionSide)
    quantity = fields.decimal(row, "pos")
    if quantity < 0 and position_side is not PositionSide.NET:
        raise MalformedReport("pos", "negative with a position side")
    return PositionReport(
        inst_id=fields.required_text(row, "instId"),
        inst_type=instrument_type(row),
        position_side=position_side,
        margin_mode=fields.choice(row, "mgnMode", MarginMode),
        quantity=quantity,
        average_price=fields.price_or_none(row, "avgPx"),
        mark_price=fields.price_or_none(row, "markPx"),
        unrealized_pnl=fields.decimal_or_zero(row, "upl"),
        realized_pnl=fields.decimal_or_zero(row, "realizedPnl"),
        leverage=fields.price_or_none(row, "lever"),
        liquidation_price=fields.price_or_none(row, "liqPx"),
        notional_usd=fields.decimal_or_zero(row, "notionalUsd"),
        margin=fields.decimal_or_zero(row, "margin"),
        initial_margin=fields.decimal_or_zero(row, "imr"),
        maintenance_margin=fields.decimal_or_zero(row, "mmr"),
        margin_ratio=fields.optional_decimal(row, "mgnRatio"),
        currency=fields.text(row, "ccy"),
        position_id=fields.text(row, "posId"),
        trade_id=fields.text(row, "tradeId"),
        created_at=fields.optional_time(row, "cTime"),
        updated_at=fields.time(row, "uTime"),
    )


def parse_balance(row: object) -> BalanceReport:
    row = as_row(row)
    updated_at = fields.time(row, "uTime")
    details = row.get("details")
    if not isinstance(details, list):
        raise MalformedReport("details", "not a list")
    return BalanceReport(
        total_equity_usd=fields.decimal_or_zero(row, "totalEq"),
        updated_at=updated_at,
        details=tuple(_currency_balance(as_row(detail, "details")) for detail in details),
    )


def parse_account_config(row: object) -> AccountConfigReport:
    row = as_row(row)
    uid = fields.required_text(row, "uid")
    return AccountConfigReport(
        uid=uid,
        main_uid=fields.text(row, "mainUid") or uid,
        account_level=fields.required_text(row, "acctLv"),
        position_mode=fields.choice(row, "posMode", PositionMode, _POSITION_MODES),
        permissions=frozenset(_words(fields.text(row, "perm"))),
        ip_bound=tuple(_words(fields.message(row, "ip"))),
        label=fields.message(row, "label"),
    )


def parse_instrument(row: object) -> InstrumentReport:
    row = as_row(row)
    contract_type = fields.text(row, "ctType")
    if contract_type not in ("", "linear", "inverse"):
        raise MalformedReport("ctType", "neither linear nor inverse")
    has_contract = bool(contract_type)
    inst_type = instrument_type(row)
    if inst_type is None:
        raise MalformedReport("instType", "missing or unknown")
    return InstrumentReport(
        inst_id=fields.required_text(row, "instId"),
        inst_id_code=fields.integer_or_none(row, "instIdCode"),
        inst_type=inst_type,
        base_currency=fields.text(row, "baseCcy"),
        quote_currency=fields.text(row, "quoteCcy"),
        settle_currency=fields.text(row, "settleCcy"),
        contract_value=fields.positive(row, "ctVal") if has_contract else None,
        contract_multiplier=fields.positive(row, "ctMult") if has_contract else None,
        contract_value_currency=fields.text(row, "ctValCcy"),
        contract_type=contract_type,
        lot_size=fields.positive(row, "lotSz"),
        tick_size=fields.positive(row, "tickSz"),
        min_size=fields.positive(row, "minSz"),
        max_market_size=fields.price_or_none(row, "maxMktSz"),
        max_limit_size=fields.price_or_none(row, "maxLmtSz"),
        max_leverage=fields.price_or_none(row, "lever"),
        state=fields.required_text(row, "state"),
        listed_at=fields.optional_time(row, "listTime"),
        expires_at=fields.optional_time(row, "expTime"),
    )


def parse_ticker(row: object) -> TickerReport:
    row = as_row(row)
    return TickerReport(
        inst_id=fields.required_text(row, "instId"),
        last=fields.price_or_none(row, "last"),
        bid=fields.price_or_none(row, "bidPx"),
        ask=fields.price_or_none(row, "askPx"),
        at=fields.time(row, "ts"),
    )


def parse_mark_price(row: object) -> MarkPriceReport:
    row = as_row(row)
    return MarkPriceReport(
        inst_id=fields.required_text(row, "instId"),
        price=fields.positive(row, "markPx"),
        at=fields.time(row, "ts"),
    )


def parse_leverage(row: object) -> LeverageReport:
    row = as_row(row)
    return LeverageReport(
        inst_id=fields.required_text(row, "instId"),
        margin_mode=fields.choice(row, "mgnMode", MarginMode),
        position_side=fields.choice(row, "posSide", PositionSide, _POSITION_SIDES),
        leverage=fields.positive(row, "lever"),
    )


def parse_system_status(row: object) -> SystemStatusReport:
    row = as_row(row)
    return SystemStatusReport(
        title=fields.message(row, "title"),
        state=fields.required_text(row, "state"),
        begins_at=fields.time(row, "begin"),
        ends_at=fields.optional_time(row, "end"),
        pre_opens_at=fields.optional_time(row, "preOpenBegin"),
        service_type=fields.text(row, "serviceType"),
        system=fields.text(row, "system"),
        environment=fields.text(row, "env"),
        link=fields.message(row, "href"),
    )


def parse_time_ms(row: object) -> int:
    return fields.milliseconds(as_row(row), "ts")


def _order(row: Row, last_fill: FillReport | None) -> OrderReport:
    return OrderReport(
        inst_id=fields.required_text(row, "instId"),
        inst_type=instrument_type(row),
        client_order_id=fields.text(row, "clOrdId"),
        exchange_order_id=fields.required_text(row, "ordId"),
        state=fields.choice(row, "state", OrderState),
        side=fields.choice(row, "side", Side),
        position_side=fields.choice(row, "posSide", PositionSide, _POSITION_SIDES),
        margin_mode=fields.choice(row, "tdMode", MarginMode, _MARGIN_MODES),
        order_type=_order_type(row),
        quantity=fields.size(row, "sz"),
        price=fields.price_or_none(row, "px"),
        filled_quantity=fields.size_or_zero(row, "accFillSz"),
        average_price=fields.price_or_none(row, "avgPx"),
        fee=fields.decimal_or_zero(row, "fee"),
        fee_currency=fields.text(row, "feeCcy"),
        reduce_only=fields.flag(row, "reduceOnly"),
        cancel_source=fields.text(row, "cancelSource"),
        created_at=fields.time(row, "cTime"),
        updated_at=fields.time(row, "uTime"),
        code=fields.text(row, "code"),
        message=fields.message(row, "msg"),
        leverage=fields.price_or_none(row, "lever"),
        realized_pnl=fields.decimal_or_zero(row, "pnl"),
        category=fields.text(row, "category"),
        tag=fields.text(row, "tag"),
        target_currency=fields.text(row, "tgtCcy"),
        exchange_algo_id=fields.text(row, "algoId"),
        client_algo_id=fields.text(row, "algoClOrdId"),
        protections=parse_protections(row),
        last_fill=last_fill,
        raw=row,
    )


def _pushed_fill(row: Row) -> FillReport | None:
    if not fields.text(row, "tradeId") or not fields.decimal_or_zero(row, "fillSz"):
        return None
    return _fill(row, fee="fillFee", fee_currency="fillFeeCcy")


def _fill(row: Row, *, fee: str, fee_currency: str) -> FillReport:
    liquidity = fields.text(row, "execType")
    if liquidity not in _LIQUIDITY:
        raise MalformedReport("execType", f"unknown value {liquidity!r}")
    return FillReport(
        inst_id=fields.required_text(row, "instId"),
        trade_id=fields.required_text(row, "tradeId"),
        exchange_order_id=fields.required_text(row, "ordId"),
        client_order_id=fields.text(row, "clOrdId"),
        side=fields.choice(row, "side", Side),
        position_side=fields.choice(row, "posSide", PositionSide, _POSITION_SIDES),
        quantity=fields.positive(row, "fillSz"),
        price=fields.positive(row, "fillPx"),
        fee=fields.decimal_or_zero(row, fee),
        fee_currency=fields.text(row, fee_currency),
        realized_pnl=fields.decimal_or_zero(row, "fillPnl"),
        liquidity=_LIQUIDITY[liquidity],
        # Never ts or uTime: they differ by path, and a fill's identity contains this moment.
        filled_at=fields.time(row, "fillTime"),
    )


def _order_type(row: Row) -> OrderType:
    wire = fields.required_text(row, "ordType")
    known = {kind.value for kind in OrderType} - {OrderType.OTHER.value}
    return OrderType(wire) if wire in known else OrderType.OTHER


def _currency_balance(row: Row) -> CurrencyBalance:
    available = fields.optional_decimal(row, "availBal")
    return CurrencyBalance(
        currency=fields.required_text(row, "ccy"),
        equity=fields.decimal_or_zero(row, "eq"),
        cash=fields.decimal_or_zero(row, "cashBal"),
        # Some account levels fill only one of the two.
        available=fields.decimal_or_zero(row, "availEq") if available is None else available,
        frozen=fields.decimal_or_zero(row, "frozenBal"),
        unrealized_pnl=fields.decimal_or_zero(row, "upl"),
        updated_at=fields.time(row, "uTime"),
        equity_usd=fields.decimal_or_zero(row, "eqUsd"),
    )


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]
