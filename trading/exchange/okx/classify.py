"""What the answer to a send proves. Pure.

The default is UNKNOWN: only a closed list of answers proves that nothing was placed, and only an
order id under our own client order id proves that something was. Exception classes, HTTP statuses
and wordings prove nothing by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import orjson

from trading.exchange.okx import codes
from trading.exchange.types import Credentials, Outcome, SendOutcome

_EXCERPT = 500
# What an acknowledgement says in words.
_ACCEPTED_WITH = ("", "Order placed")
_RETRY_AFTER_MAX_S = 60
_SECRET_LENGTH = 6
# HTTPStatus compares slowly, and this is asked for every order.
_OK, _REDIRECTS, _BAD_REQUESTS, _SERVER_ERRORS = 200, 300, 400, 500


class NotSent(Exception):  # noqa: N818 - says what happened
    """Not a byte of the request was written: we decided not to, or there was no connection."""

    code = ""
    wait_s: float | None = None


class HeldBack(NotSent):
    """Its turn under a limit of the exchange's, in so many seconds, would have come too late."""

    code = "RATE_LIMITED"

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Answer(NamedTuple):
    """What came back for one request: a status and a body, or the failure instead of them."""

    status: int | None = None
    body: str = ""
    retry_after: str = ""
    failure: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """How one endpoint answers: which codes refuse, and what an acknowledgement must show.

    `order_id` and `client_id` are the fields in which its rows name what they are about.
    """

    path: str
    refused: frozenset[str]
    not_placed: frozenset[str] = codes.NOT_PLACED
    duplicate: frozenset[str] = frozenset()
    order_id: str = "ordId"
    client_id: str = "clOrdId"
    order_id_needed: bool = False
    row_code_needed: bool = False


PLACE = Operation(
    path="trade/order",
    refused=codes.PLACE_REFUSED,
    duplicate=codes.DUPLICATE,
    order_id_needed=True,
    row_code_needed=True,
)
AMEND = Operation(
    path="trade/amend-order",
    refused=codes.AMEND_REFUSED,
    not_placed=codes.AMEND_NOT_PLACED,
    order_id_needed=True,
    row_code_needed=True,
)
CANCEL = Operation(path="trade/cancel-order", refused=codes.CANCEL_REFUSED, row_code_needed=True)
CANCEL_MANY = replace(CANCEL, path="trade/cancel-batch-orders")
CLOSE = Operation(
    path="trade/close-position", refused=codes.CLOSE_REFUSED, not_placed=codes.CLOSE_NOT_PLACED
)
LEVERAGE = Operation(path="account/set-leverage", refused=codes.SETTING_REFUSED)
POSITION_MODE = Operation(path="account/set-position-mode", refused=codes.SETTING_REFUSED)
COUNTDOWN = Operation(path="trade/cancel-all-after", refused=codes.COUNTDOWN_REFUSED)
PLACE_ALGO = Operation(
    path="trade/order-algo",
    refused=codes.ALGO_REFUSED,
    duplicate=codes.ALGO_DUPLICATE,
    order_id="algoId",
    client_id="algoClOrdId",
    order_id_needed=True,
    row_code_needed=True,
)
AMEND_ALGO = replace(AMEND, path="trade/amend-algos", order_id="algoId", client_id="algoClOrdId")
CANCEL_ALGOS = replace(
    CANCEL, path="trade/cancel-algos", order_id="algoId", client_id="algoClOrdId"
)


@dataclass(frozen=True, slots=True)
class Target:
    """What one item of a batch is about: by the exchange's id if there is one, or by ours."""

    order_id: str
    client_id: str


class _Envelope(NamedTuple):
    code: str
    message: str
    rows: list[dict[str, Any]]


class _Verdict:
    """The parts of an envelope that matter, and the one row that is ours.

    `reason` is the row's code where there is one: OKX's rule, whatever the envelope says.
    """

    __slots__ = ("code", "reason", "row", "sub_code", "words")

    def __init__(self, envelope: _Envelope, row: dict[str, Any] | None) -> None:
        self.code = envelope.code
        self.row = row
        self.sub_code = _text(row, "sCode")
        self.reason = self.sub_code if self.sub_code not in ("", "0") else self.code
        self.words = _text(row, "sMsg") or envelope.message


def placed(answer: Answer, credentials: Credentials, client_id: str) -> SendOutcome | None:
    """Of a new order, the answer that nearly all are: accepted, under the name that we gave it.

    None for every other, and for what must be looked at more closely: `classify_send` judges.
    """
    if answer.status != _OK or answer.failure is not None:
        return None
    try:
        envelope = orjson.loads(answer.body)
        (row,) = envelope["data"]
        code, sub_code, name, order_id = (
            envelope["code"],
            row["sCode"],
            row["clOrdId"],
            row["ordId"],
        )
        message = row["sMsg"] or envelope["msg"]
    except (ValueError, LookupError, TypeError):
        return None
    if not (code == sub_code == "0" and name == client_id and isinstance(order_id, str)):
        return None
    if not order_id.isdigit() or message not in _ACCEPTED_WITH or _echoes(order_id, credentials):
        return None
    return SendOutcome(Outcome.ACK, order_id, "0", "0", message, _OK)


def classify_send(answer: Answer, operation: Operation, *, client_id: str = "") -> SendOutcome:
    """The outcome of one request that was sent at most once."""
    if answer.failure is not None:
        return _not_answered(answer, answer.failure)
    envelope = _read(answer.body)
    if envelope is None:
        return _unreadable(answer)
    row = _our_row(envelope.rows, operation, client_id)
    if envelope.rows and row is None:
        return _unreadable(answer)
    return _outcome(answer, _Verdict(envelope, row), operation)


def classify_batch(
    answer: Answer, operation: Operation, targets: Sequence[Target]
) -> tuple[SendOutcome, ...]:
    """One outcome for each target, by the one row that names it.

    An answer without rows speaks of all alike; a target whose row is missing or doubled is unknown.
    """
    if answer.failure is not None:
        return (_not_answered(answer, answer.failure),) * len(targets)
    envelope = _read(answer.body)
    if envelope is None:
        return (_unreadable(answer),) * len(targets)
    if not envelope.rows:
        verdict = _Verdict(envelope, None)
        return (_outcome(answer, verdict, operation),) * len(targets)
    return tuple(
        _unreadable(answer)
        if (row := _row_about(envelope.rows, operation, target)) is None
        else _outcome(answer, _Verdict(envelope, row), operation)
        for target in targets
    )


def _not_answered(answer: Answer, failure: BaseException) -> SendOutcome:
    unsent = _unsent(failure)
    wait_s = unsent.wait_s if unsent else None
    return SendOutcome(
        kind=Outcome.UNKNOWN if unsent is None else Outcome.NOT_PLACED,
        code=local_code(failure),
        message=describe(failure),
        http_status=answer.status,
        retry_after_s=None if wait_s is None else Decimal(f"{wait_s:.3f}"),
    )


def _unreadable(answer: Answer) -> SendOutcome:
    return SendOutcome(
        kind=Outcome.UNKNOWN, http_status=answer.status, excerpt=answer.body[:_EXCERPT]
    )


def _outcome(answer: Answer, verdict: _Verdict, operation: Operation) -> SendOutcome:
    kind = _judge(answer, verdict, operation)
    if kind is Outcome.ACK:
        return SendOutcome(
            kind,
            _text(verdict.row, operation.order_id),
            verdict.code,
            verdict.sub_code,
            verdict.words[:_EXCERPT],
            answer.status,
        )
    return SendOutcome(
        kind=kind,
        code=verdict.code,
        sub_code=verdict.sub_code,
        message=verdict.words[:_EXCERPT],
        http_status=answer.status,
        excerpt=answer.body[:_EXCERPT],
        retry_after_s=retry_after_of(answer) if verdict.reason in codes.RATE_LIMITED else None,
        clock_skewed=kind is Outcome.NOT_PLACED and verdict.reason in codes.CLOCK_SKEWED,
    )


def local_code(failure: BaseException) -> str:
    """Our own word for why it was not sent, or nothing."""
    unsent = _unsent(failure)
    return unsent.code if unsent else ""


def describe(failure: BaseException) -> str:
    """The innermost cause in words, without the request."""
    *_, innermost = _causes(failure)
    return f"{type(innermost).__name__}: {innermost}"[:_EXCERPT]


def retry_after_of(answer: Answer) -> Decimal | None:
    """How many seconds the exchange asks to wait, if it says so sensibly."""
    try:
        seconds = Decimal(answer.retry_after)
    except InvalidOperation:
        return None
    return seconds if seconds.is_finite() and 0 <= seconds <= _RETRY_AFTER_MAX_S else None


def without_secrets(answer: Answer, credentials: Credentials) -> Answer:
    """The answer as it may be kept: should it echo a credential, that is blotted out."""
    body = answer.body
    for secret in (credentials.secret, credentials.passphrase, credentials.api_key):
        if len(secret) >= _SECRET_LENGTH:
            body = body.replace(secret, "***")
    return answer if body == answer.body else answer._replace(body=body)


def _echoes(text: str, credentials: Credentials) -> bool:
    return (
        credentials.passphrase in text or credentials.secret in text or credentials.api_key in text
    )


def _judge(answer: Answer, verdict: _Verdict, operation: Operation) -> Outcome:
    if answer.status is None or _proves_nothing(answer.status):
        return Outcome.UNKNOWN
    if verdict.sub_code == "0" or verdict.reason == "0":
        proven = answer.status == _OK and _acknowledges(verdict, operation)
        return Outcome.ACK if proven else Outcome.UNKNOWN
    return _refusal(verdict, operation)


def _proves_nothing(status: int) -> bool:
    """A redirect or a server's failure: somebody other than OKX's gateway may be speaking."""
    return _REDIRECTS <= status < _BAD_REQUESTS or status >= _SERVER_ERRORS


def _acknowledges(verdict: _Verdict, operation: Operation) -> bool:
    row = verdict.row
    if row is None or verdict.code not in ("0", "2"):
        return False
    if operation.row_code_needed and verdict.sub_code != "0":
        return False
    return bool(_text(row, operation.order_id)) or not operation.order_id_needed


def _refusal(verdict: _Verdict, operation: Operation) -> Outcome:
    reason = verdict.reason
    if reason in operation.not_placed:
        return Outcome.NOT_PLACED
    if reason in codes.AUTH:
        return Outcome.AUTH
    if reason in operation.duplicate:
        return Outcome.DUPLICATE
    if reason in operation.refused:
        return Outcome.REJECTED
    if reason == codes.PARAMETER_ERROR and "clord" not in verdict.words.lower():
        return Outcome.REJECTED
    return Outcome.UNKNOWN


def _read(body: str) -> _Envelope | None:
    """The envelope, or None when this is not an answer of OKX's."""
    try:
        envelope = orjson.loads(body)
    except ValueError:
        return None
    if not isinstance(envelope, dict):
        return None
    rows = envelope.get("data", [])
    code = envelope.get("code")
    if not isinstance(code, str) or not isinstance(rows, list):
        return None
    for row in rows:
        if not isinstance(row, dict):
            return None
    return _Envelope(code, _text(envelope, "msg"), rows)


def _our_row(
    rows: list[dict[str, Any]], operation: Operation, client_id: str
) -> dict[str, Any] | None:
    name = operation.client_id
    if len(rows) == 1:
        echoes = not client_id or _text(rows[0], name) in ("", client_id)
        return rows[0] if echoes else None
    ours = [row for row in rows if client_id and row.get(name) == client_id]
    return ours[0] if len(ours) == 1 else None


def _row_about(
    rows: list[dict[str, Any]], operation: Operation, target: Target
) -> dict[str, Any] | None:
    name = operation.order_id if target.order_id else operation.client_id
    about = [row for row in rows if row.get(name) == (target.order_id or target.client_id)]
    return about[0] if len(about) == 1 else None


def _text(row: dict[str, Any] | None, field: str) -> str:
    value = row.get(field) if row else None
    return value if isinstance(value, str) else ""


def _unsent(failure: BaseException) -> NotSent | None:
    """The proof that nothing was written, judged by the causes and not by the wrapping."""
    return next((each for each in _causes(failure) if isinstance(each, NotSent)), None)


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """The failure and what it was raised from; a cycle ends the walk."""
    seen: set[int] = set()
    cause: BaseException | None = failure
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__
