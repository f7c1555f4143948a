"""Answers to questions: the rows, or ReadFailed. Pure. An empty list is never a failure."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from trading.exchange.algos import AlgoLookup
from trading.exchange.errors import AuthFailed, MalformedReport, ReadFailed
from trading.exchange.okx import codes
from trading.exchange.okx.classify import Answer, describe, local_code
from trading.exchange.okx.parse import parse_order
from trading.exchange.okx.parse_algos import parse_algo
from trading.exchange.types import LookupKind, OrderLookup

_MESSAGE = 200


def rows_of(answer: Answer) -> list[Any]:
    """The rows of a well-formed success: HTTP 200, code "0", a list."""
    if answer.failure is not None:
        raise ReadFailed(local_code(answer.failure), describe(answer.failure))
    envelope = _envelope(answer)
    code, message = envelope["code"], str(envelope.get("msg", ""))[:_MESSAGE]
    if code in codes.AUTH:
        raise AuthFailed(code, message, answer.status)
    if code != "0" or answer.status != HTTPStatus.OK:
        raise ReadFailed(code, message, answer.status)
    rows = envelope.get("data")
    if not isinstance(rows, list):
        raise ReadFailed(code, "no list of rows", answer.status)
    return rows


def row_of(answer: Answer) -> Any:
    """The only row of an answer that always has one."""
    rows = rows_of(answer)
    if len(rows) != 1:
        raise ReadFailed("0", f"{len(rows)} rows instead of one", answer.status)
    return rows[0]


def lookup_of(
    answer: Answer, inst_id: str, *, client_order_id: str | None, exchange_order_id: str | None
) -> OrderLookup:
    """Found only when the row is the order asked for, not found only when OKX says so."""
    try:
        report = parse_order(row_of(answer))
    except MalformedReport as error:
        return OrderLookup(kind=LookupKind.UNKNOWN, message=str(error), http_status=answer.status)
    except ReadFailed as error:
        missing = error.code == codes.ORDER_NOT_FOUND and answer.status == HTTPStatus.OK
        return OrderLookup(
            kind=LookupKind.NOT_FOUND if missing else LookupKind.UNKNOWN,
            code=error.code,
            message=error.message,
            http_status=answer.status,
        )
    asked = (
        report.inst_id == inst_id
        and client_order_id in (None, report.client_order_id)
        and exchange_order_id in (None, report.exchange_order_id)
    )
    if not asked:
        return OrderLookup(
            kind=LookupKind.UNKNOWN, message="another order", http_status=answer.status
        )
    return OrderLookup(kind=LookupKind.FOUND, report=report, code="0", http_status=answer.status)


def algo_lookup_of(
    answer: Answer, *, client_algo_id: str | None, exchange_algo_id: str | None
) -> AlgoLookup:
    """Found only when the row is the algo order asked for, not found only when OKX says so."""
    try:
        report = parse_algo(row_of(answer))
    except MalformedReport as error:
        return AlgoLookup(kind=LookupKind.UNKNOWN, message=str(error), http_status=answer.status)
    except ReadFailed as error:
        missing = error.code == codes.ORDER_NOT_FOUND and answer.status == HTTPStatus.OK
        return AlgoLookup(
            kind=LookupKind.NOT_FOUND if missing else LookupKind.UNKNOWN,
            code=error.code,
            message=error.message,
            http_status=answer.status,
        )
    asked = client_algo_id in (None, report.client_algo_id) and exchange_algo_id in (
        None,
        report.exchange_algo_id,
    )
    if not asked:
        return AlgoLookup(
            kind=LookupKind.UNKNOWN, message="another order", http_status=answer.status
        )
    return AlgoLookup(kind=LookupKind.FOUND, report=report, code="0", http_status=answer.status)


def _envelope(answer: Answer) -> dict[str, Any]:
    try:
        envelope = json.loads(answer.body)
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("code"), str):
        raise ReadFailed(message="not an answer of the exchange", http_status=answer.status)
    return envelope
