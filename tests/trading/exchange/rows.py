"""Rows as OKX prints them, with changes."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def order(**changes: Any) -> Row:
    return {
        "accFillSz": "0.5",
        "avgPx": "51859",
        "cTime": "1708587373361",
        "cancelSource": "",
        "category": "normal",
        "clOrdId": "q01abc",
        "fee": "-0.1296475",
        "feeCcy": "USDT",
        "fillPx": "51860.5",
        "fillSz": "0.2",
        "fillTime": "1708587373300",
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "lever": "5",
        "ordId": "680800019749904384",
        "ordType": "limit",
        "pnl": "0.02",
        "posSide": "net",
        "px": "51858.1",
        "reduceOnly": "true",
        "side": "sell",
        "state": "partially_filled",
        "sz": "1.5",
        "tag": "",
        "tdMode": "cross",
        "tgtCcy": "",
        "tradeId": "744876980",
        "uTime": "1708587373362",
    } | changes


def order_push(**changes: Any) -> Row:
    return (
        order(
            fillFee="-0.05",
            fillFeeCcy="USDT",
            fillPnl="0.01",
            execType="T",
            code="0",
            msg="",
            lastPx="51860.5",
        )
        | changes
    )


def fill(**changes: Any) -> Row:
    return {
        "side": "sell",
        "fillSz": "0.2",
        "fillPx": "51860.5",
        "fee": "-0.05",
        "feeCcy": "USDT",
        "fillPnl": "0.01",
        "ordId": "680800019749904384",
        "clOrdId": "q01abc",
        "instType": "SWAP",
        "instId": "BTC-USDT-SWAP",
        "posSide": "net",
        "billId": "680800019754098688",
        "fillTime": "1708587373300",
        "execType": "T",
        "tradeId": "744876980",
        "ts": "1708587373399",
    } | changes


def position(**changes: Any) -> Row:
    return {
        "avgPx": "2566.31",
        "cTime": "1619507758793",
        "ccy": "ETH",
        "imr": "",
        "instId": "ETH-USD-SWAP",
        "instType": "SWAP",
        "lever": "10",
        "liqPx": "2352.8496681818233",
        "markPx": "2353.849",
        "margin": "0.0003896645377994",
        "mgnMode": "isolated",
        "mgnRatio": "11.731726509588816",
        "mmr": "0.0000311811092368",
        "notionalUsd": "2276.2546609009605",
        "pos": "1",
        "posId": "307173036051017730",
        "posSide": "long",
        "realizedPnl": "0.001",
        "tradeId": "109844",
        "uTime": "1619507761462",
        "upl": "-0.0000009932766034",
    } | changes


def balance(**changes: Any) -> Row:
    return {
        "adjEq": "",
        "details": [
            {
                "availBal": "4834.317093622894",
                "availEq": "4834.3170936228935",
                "cashBal": "4850.435693622894",
                "ccy": "USDT",
                "eq": "4992.890093622894",
                "eqUsd": "4991.542013297616",
                "frozenBal": "158.573",
                "imr": "",
                "mmr": "",
                "uTime": "1705449605015",
                "upl": "-7.5456",
            }
        ],
        "totalEq": "55837.43556134779",
        "uTime": "1705474164160",
        "upl": "",
    } | changes


def account_config(**changes: Any) -> Row:
    return {
        "acctLv": "2",
        "autoLoan": False,
        "ip": "",
        "label": "copy desk",
        "level": "Lv1",
        "mainUid": "44705892343619584",
        "perm": "read_only,withdraw,trade",
        "posMode": "long_short_mode",
        "roleType": "0",
        "uid": "44705892343619584",
    } | changes


def instrument(**changes: Any) -> Row:
    return {
        "instId": "BTC-USDT-SWAP",
        "instIdCode": 10459,
        "instType": "SWAP",
        "baseCcy": "",
        "quoteCcy": "",
        "settleCcy": "USDT",
        "ctVal": "0.01",
        "ctMult": "1",
        "ctValCcy": "BTC",
        "ctType": "linear",
        "lever": "100",
        "tickSz": "0.1",
        "lotSz": "0.01",
        "minSz": "0.01",
        "maxLmtSz": "100000000",
        "maxMktSz": "12000",
        "state": "live",
        "listTime": "1573557408000",
        "expTime": "",
    } | changes
